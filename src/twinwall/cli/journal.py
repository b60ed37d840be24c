"""`twinwall journal`: who changed the policy, when, to what, and what came of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from twinwall.cli.change_options import state_option
from twinwall.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from twinwall.enforce.journal import Entry


@click.command()
@click.option("-n", "--count", type=click.IntRange(min=1), default=20, show_default=True, help="How many entries, the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@state_option
def command(count: int, as_json: bool, state: str | None) -> int:
    """Print the journal of changes, the newest last."""
    from twinwall.enforce.state import State  # noqa: PLC0415 - `--help` needs none of it

    for entry in list(State(state).journal.entries())[-count:]:
        click.echo(json.dumps(asdict(entry)) if as_json else entry_line(entry))
    return ExitCode.FINE


def entry_line(entry: Entry) -> str:
    """An entry in a line, whatever it says."""
    from twinwall.enforce.journal import printable  # noqa: PLC0415 - `--help` needs none of it

    policy = f"{entry.name} ({entry.policy[:12]})" if entry.policy else "no policy"
    rules = ", ".join(f"{count:,} {what}" for what, count in entry.rules.items())
    parts = [f"{entry.time}  {entry.action:<8} {entry.outcome:<8} {policy}", f"rules: {rules}" if rules else "", entry.detail]
    return printable("; ".join(part for part in parts if part) + f"  by {entry.author}")
