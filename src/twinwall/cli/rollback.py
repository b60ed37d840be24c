"""`twinwall rollback`: back to what was in force before."""

from __future__ import annotations

import click

from twinwall.cli.change_options import ask, change_options, open_desk, say_done, uninterrupted
from twinwall.cli.exit_codes import ExitCode, complain
from twinwall.cli.proposal import propose_blueprint


@click.command()
@click.option("--cut-me-off", is_flag=True, help="Do it even if it cuts the SSH connection that this is typed on.")
@click.option("--all", "every", is_flag=True, help="Show every rule of the plan.")
@change_options
def command(state: str | None, no_wait: bool, confirm_within: float | None, yes: bool, cut_me_off: bool, every: bool) -> int:
    """Go back: a policy on trial is taken back at once; else the policy that was confirmed before is put in force.

    Said twice, it goes back and forth between the last two.
    """
    desk = open_desk(state, no_wait=no_wait)
    with desk.locked("rollback"):
        done = desk.take_back()
        if done:
            click.echo(done)
            return ExitCode.FINE
        proposal = propose_blueprint(desk, desk.stored(desk.previous(), desk.in_force()))
    proposal.show(every=every)
    proposal.refuse_cutting(cut_me_off=cut_me_off)
    if not ask("Go back to it?", yes=yes):
        complain("nothing was changed")
        return ExitCode.FINE
    with desk.locked("rollback"), uninterrupted():
        pending = desk.carry_out(proposal.change("rollback", desk.author, confirm_within))
    say_done(pending)
    return ExitCode.FINE
