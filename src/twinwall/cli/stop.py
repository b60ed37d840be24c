"""`twinwall stop`: take twinwall out of the kernel."""

from __future__ import annotations

import click

from twinwall.cli.change_options import ask, change_options, open_desk, say_done, uninterrupted
from twinwall.cli.exit_codes import ExitCode, complain
from twinwall.cli.proposal import propose_removal


@click.command()
@change_options
def command(state: str | None, no_wait: bool, confirm_within: float | None, yes: bool) -> int:
    """Remove every table, program and kernel setting of twinwall.  Nothing is filtered then, nor after a restart.

    `twinwall rollback` puts the last policy in force again.
    """
    desk = open_desk(state, no_wait=no_wait)
    with desk.locked("stop"):
        desk.refuse_trial()
        proposal = propose_removal(desk)
    proposal.show(every=False)
    if not ask("Stop filtering?", yes=yes):
        complain("nothing was changed")
        return ExitCode.FINE
    with desk.locked("stop"), uninterrupted():
        pending = desk.stop(proposal.change("stop", desk.author, confirm_within))
    say_done(pending)
    return ExitCode.FINE
