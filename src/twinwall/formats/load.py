"""Load a policy, whatever it is written in: the YAML file, a bare rules file, or an AWS Network Firewall export.

What a path means is decided by what it is: a folder or a `.json` file is an AWS export, `.rules` a list of stateful rules,
everything else the YAML file of docs/policy-file.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, PolicyError, Severity, Span
from twinwall.policy.model import Policy

if TYPE_CHECKING:
    from twinwall.formats.aws.options import AwsOptions
    from twinwall.formats.aws.report import AwsReport


@dataclass(frozen=True)
class Reading:
    """What came of reading: the policy unless something is wrong with it, what was found, and how an export was understood."""

    policy: Policy | None
    diagnostics: tuple[Diagnostic, ...]
    report: AwsReport | None = None


def read_policy(paths: Sequence[str | Path], options: AwsOptions | None = None) -> Reading:
    """Read the policy that `paths` hold together; every mistake of every file is in the diagnostics."""
    places = [Path(path) for path in paths]
    try:
        if any(place.is_dir() or place.suffix == ".json" for place in places):
            return _read_aws(places, options)
        if len(places) == 1:
            from twinwall.rules.policy_file import load_policy as load_file  # noqa: PLC0415 - most runs read one format only

            return Reading(load_file(str(places[0])), ())
    except PolicyError as error:
        return Reading(None, error.diagnostics)
    span = Span(", ".join(map(str, places)), 1, 1)
    hint = "name one YAML or .rules file, or the files or the folder of an AWS export"
    message = f"{len(places)} policy files, not one"
    return Reading(None, (Diagnostic(Severity.ERROR, Code.SEVERAL_POLICIES.value, message, span, hint),))


def _read_aws(places: list[Path], options: AwsOptions | None) -> Reading:
    from twinwall.formats.aws.load import load_aws  # noqa: PLC0415 - most runs read one format only
    from twinwall.formats.aws.options import AwsOptions  # noqa: PLC0415

    export = load_aws(places, options or AwsOptions())
    return Reading(export.policy, export.diagnostics, export.report)


def load_policy(path: str | Path, options: AwsOptions | None = None) -> Policy:
    """The policy in a file or folder.  Raises `PolicyError` with everything that is wrong about it."""
    reading = read_policy([path], options)
    if reading.policy is None:
        raise PolicyError(reading.diagnostics)
    return reading.policy
