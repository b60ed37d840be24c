"""`twinwall confirm`: let a policy on trial stay."""

from __future__ import annotations

import click

from twinwall.cli.change_options import lock_options, open_desk
from twinwall.cli.exit_codes import ExitCode


@click.command()
@lock_options
def command(state: str | None, no_wait: bool) -> int:
    """Keep what `apply --confirm-within` has put in force, now and after a restart."""
    from twinwall.enforce.recovery import describe  # noqa: PLC0415 - `--help` needs none of it

    desk = open_desk(state, no_wait=no_wait)
    with desk.locked("confirm"):
        pending = desk.confirm()
    click.echo(f"confirmed: {describe(pending.new)}")
    return ExitCode.FINE
