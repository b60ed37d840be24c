"""`twinwall apply POLICY`: put a policy in force, so that it can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from twinwall.cli.attach_options import attach_options
from twinwall.cli.change_options import ask, change_options, open_desk, say_done, uninterrupted
from twinwall.cli.exit_codes import ExitCode, complain
from twinwall.cli.policy_options import policy_options
from twinwall.cli.proposal import Asked, Proposal, propose, stateless_option

if TYPE_CHECKING:
    from twinwall.enforce.desk import Desk


@click.command()
@click.argument("policy", type=click.Path())
@click.option("--keep", is_flag=True, help="Let connections live that earlier policies passed, also where this one would not.")
@click.option("--cut-me-off", is_flag=True, help="Apply it even if it cuts the SSH connection that this is typed on.")
@click.option("--all", "every", is_flag=True, help="Show every rule of the plan.")
@stateless_option
@attach_options
@change_options
@policy_options
def command(
    policy: str,
    keep: bool,
    cut_me_off: bool,
    every: bool,
    stateless: str,
    mode: str | None,
    inside: tuple[str, ...],
    outside: tuple[str, ...],
    state: str | None,
    no_wait: bool,
    confirm_within: float | None,
    yes: bool,
    home_net: tuple[str, ...],
    references: tuple[str, ...],
) -> int:
    """Show what POLICY would change, ask, and put it in force in the Linux kernel.

    The change is one transaction: interrupted at any instant, the kernel holds the old policy or the new one.  With
    --confirm-within a watchdog restores the old one unless `twinwall confirm` comes in time, also if this program is killed or
    the connection is lost.  docs/applying.md tells more.
    """
    asked = Asked(policy, stateless, keep, mode, inside, outside, home_net, references)
    gathered = asked.gather()
    if gathered is None:
        return ExitCode.POLICY
    desk = open_desk(state, no_wait=no_wait)
    with desk.locked("apply"):
        desk.refuse_trial()
        proposal = propose(desk, asked, gathered)
    proposal.show(every=every)
    proposal.refuse_cutting(cut_me_off=cut_me_off)
    if not proposal.plan.changes:
        return ExitCode.FINE
    if not ask("Apply it?", yes=yes):
        complain("nothing was changed")
        return ExitCode.FINE
    return _carry_out(desk, proposal, confirm_within)


def _carry_out(desk: Desk, proposal: Proposal, confirm_within: float | None) -> int:
    with desk.locked("apply"), uninterrupted():
        pending = desk.carry_out(proposal.change("apply", desk.author, confirm_within))
    say_done(pending)
    return ExitCode.FINE
