"""`twinwall check POLICY…`: read policies and report every mistake in them, and what looks like one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinwall.cli.exit_codes import ExitCode
from twinwall.cli.policy_options import aws_options, policy_options

if TYPE_CHECKING:
    from twinwall.compile.policy import CompiledPolicy
    from twinwall.engine.story_data import Data
    from twinwall.formats.aws.options import AwsOptions
    from twinwall.formats.load import Reading
    from twinwall.policy.diagnostic import Diagnostic


@dataclass(frozen=True)
class Checked:
    """One policy: the files it was read from, what reading said, lint warnings included, and its tables if it has no error."""

    paths: tuple[str, ...]
    reading: Reading
    compiled: CompiledPolicy | None

    @property
    def name(self) -> str:
        """What to call it."""
        return ", ".join(self.paths)

    def count(self, severity: str) -> int:
        """How many diagnostics are of this severity."""
        return sum(each.severity == severity for each in self.reading.diagnostics)


@click.command()
@click.argument("policies", nargs=-1, required=True, type=click.Path(), metavar="POLICY...")
@click.option(
    "-v", "--verbose", is_flag=True, help="Also the size of the tables, and how much of an AWS export was understood."
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@policy_options
def command(
    policies: tuple[str, ...], verbose: bool, as_json: bool, home_net: tuple[str, ...], references: tuple[str, ...]
) -> int:
    """Read each POLICY and print everything that is wrong with it; errors give exit code 3, warnings do not.

    A POLICY is a YAML policy, a .rules file, or the folder of an AWS Network Firewall export; several .json files are the
    parts of one export.
    """
    options = aws_options(home_net, references)
    checked = [check(paths, options) for paths in group(policies)]
    if as_json:
        click.echo(json.dumps({"policies": [_data(each, verbose=verbose) for each in checked]}, indent=2))
    else:
        for each in checked:
            for line in _lines(each, verbose=verbose):
                click.echo(line)
    return ExitCode.POLICY if any(each.compiled is None for each in checked) else ExitCode.FINE


def group(paths: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Which paths are one policy: every one by itself, but all `.json` files together."""
    parts = tuple(path for path in paths if Path(path).suffix == ".json" and not Path(path).is_dir())
    groups = [(path,) for path in paths if path not in parts]
    return [*groups, parts] if parts else list(groups)


def check(paths: tuple[str, ...], options: AwsOptions) -> Checked:
    """Read one policy, lint it and compile it."""
    from twinwall.compile.policy import compile_policy  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.formats.load import read_policy  # noqa: PLC0415
    from twinwall.policy.diagnostic import PolicyError  # noqa: PLC0415
    from twinwall.rules.lint import lint  # noqa: PLC0415

    reading = read_policy(paths, options)
    if reading.policy is None:
        return Checked(paths, reading, None)
    found = reading.diagnostics + lint(reading.policy)
    try:
        compiled = compile_policy(reading.policy)
    except PolicyError as error:  # too large for memory
        return Checked(paths, replace(reading, diagnostics=found + error.diagnostics), None)
    return Checked(paths, replace(reading, diagnostics=found), compiled)


def _lines(checked: Checked, *, verbose: bool) -> Iterator[str]:
    for diagnostic in checked.reading.diagnostics:
        yield str(diagnostic)
    errors, warnings = checked.count("error"), checked.count("warning")
    found = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    compiled = checked.compiled
    if compiled is None:
        yield f"{checked.name}: {found}"
    else:
        rules = f"{len(compiled.stateless.rules)} stateless and {_written(compiled)} stateful rules"
        yield f"{checked.name}: {rules}; {found}"
    if verbose:
        if compiled is not None:
            from twinwall.compile.describe import table_size  # noqa: PLC0415 - see `check`

            yield f"  stateless table: {table_size(compiled.stateless)}"
            yield f"  stateful table: {table_size(compiled.stateful)}"
        for line in checked.reading.report.lines() if checked.reading.report else ():
            yield f"  export: {line}"


def _written(compiled: CompiledPolicy) -> int:
    """How many stateful rules are not made from the default actions."""
    return sum(not rule.synthetic for rule in compiled.stateful.rules)


def _data(checked: Checked, *, verbose: bool) -> Data:
    compiled = checked.compiled
    data: Data = {
        "files": list(checked.paths),
        "errors": checked.count("error"),
        "warnings": checked.count("warning"),
        "stateless_rules": len(compiled.stateless.rules) if compiled else None,
        "stateful_rules": _written(compiled) if compiled else None,
        "diagnostics": [_diagnostic(each) for each in checked.reading.diagnostics],
    }
    if verbose and compiled is not None:
        from dataclasses import asdict  # noqa: PLC0415 - see `check`

        from twinwall.compile.describe import table_size  # noqa: PLC0415

        data["tables"] = {
            "stateless": asdict(table_size(compiled.stateless)),
            "stateful": asdict(table_size(compiled.stateful)),
        }
    if verbose and checked.reading.report is not None:
        members = checked.reading.report.members
        data["export"] = [{"path": each.path, "treatment": each.treatment.value, "count": each.count} for each in members]
    return data


def _diagnostic(diagnostic: Diagnostic) -> Data:
    span = diagnostic.span
    return {
        "severity": diagnostic.severity.value,
        "code": str(diagnostic.code),
        "message": diagnostic.message,
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "hint": diagnostic.hint or None,
    }
