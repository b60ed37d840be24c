"""`twinwall boot`: what the machine's start puts in force."""

from __future__ import annotations

import click

from twinwall.cli.change_options import open_desk, state_option, uninterrupted
from twinwall.cli.exit_codes import ExitCode


@click.command()
@state_option
def command(state: str | None) -> int:
    """Put the last confirmed policy in force, if none is.  Run at the machine's start (`twinwall systemd`).

    A policy that was on trial when the machine went down is forgotten.
    """
    from twinwall.enforce.boot import boot  # noqa: PLC0415 - `--help` needs none of it

    desk = open_desk(state)
    with uninterrupted():
        click.echo(boot(desk))
    return ExitCode.FINE
