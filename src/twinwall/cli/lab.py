"""`twinwall lab [POLICY]`: real programs around a firewall of network namespaces, and a table of what got through."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

import click

from twinwall.cli.exit_codes import ExitCode
from twinwall.cli.policy_options import aws_options, policy_options, read_reported

if TYPE_CHECKING:
    from twinwall.lab.messages import Progress
    from twinwall.lab.table import Results


@click.command()
@click.argument("policy", required=False, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option(
    "--report", metavar="FILE", help="Also measure costs and reloads of the bundled policies, and write a page about it."
)
@policy_options
def command(
    policy: str | None, as_json: bool, report: str | None, home_net: tuple[str, ...], references: tuple[str, ...]
) -> int:
    """Let real programs talk through a stateless firewall, a stateful one, and POLICY, and say what of it got through.

    Inside, firewall and outside are network namespaces of this machine: nothing leaves it, nothing of its own network is
    touched, and nothing remains.  Without POLICY the third is a bundled policy that uses both engines.  The inside is
    10.20.0.10 and 2001:db8:20::10.  Replay is asked about the same packets, and must say what the kernel did.

    Root, or a kernel on which everybody may make a user namespace.
    """
    if policy is not None and report is not None:
        raise click.UsageError("--report is about the bundled policies; leave POLICY out")
    given = None
    if policy is not None:
        given, _ = read_reported((policy,), aws_options(home_net, references))
        if given is None:
            return ExitCode.POLICY
    from twinwall.cli.replay import announce_once  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.lab.lab import run_lab, write_page  # noqa: PLC0415
    from twinwall.lab.twin import prepare  # noqa: PLC0415

    prepare(announce_once())
    with Line() as line:
        if report is None:
            results = run_lab(given, line.show)
        else:
            results, text = write_page(line.show)
            _write(report, text)
    _report(results, as_json=as_json)
    return ExitCode.DIFFERENT if results.differences else ExitCode.FINE


def _write(path: str, text: str) -> None:
    from twinwall.events.sink import Sink  # noqa: PLC0415 - see `command`

    with Sink(path) as sink:
        sink.write(text.encode())


def _report(results: Results, *, as_json: bool) -> None:
    from twinwall.lab.table import render, to_json  # noqa: PLC0415 - see `command`

    if as_json:
        click.echo(to_json(results))
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import

    render(results, Console(highlight=False))


class Line:
    """One line on a terminal that says what is being played; silent elsewhere."""

    def __enter__(self) -> Self:
        self._shown = sys.stderr.isatty()
        return self

    def show(self, progress: Progress) -> None:
        """Say it."""
        if self._shown:
            click.echo(f"\r\x1b[K{progress.task}: {progress.step} …", nl=False, err=True)

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
