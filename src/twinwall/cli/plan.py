"""`twinwall plan POLICY`: what applying a policy would change; nothing is changed."""

from __future__ import annotations

import click

from twinwall.cli.attach_options import attach_options
from twinwall.cli.change_options import lock_options, open_desk
from twinwall.cli.exit_codes import ExitCode
from twinwall.cli.policy_options import policy_options
from twinwall.cli.proposal import Asked, propose, stateless_option


@click.command()
@click.argument("policy", type=click.Path())
@click.option("--keep", is_flag=True, help="Plan for `apply --keep`.")
@click.option("--all", "every", is_flag=True, help="Show every rule.")
@stateless_option
@attach_options
@lock_options
@policy_options
def command(
    policy: str,
    keep: bool,
    every: bool,
    stateless: str,
    mode: str | None,
    inside: tuple[str, ...],
    outside: tuple[str, ...],
    state: str | None,
    no_wait: bool,
    home_net: tuple[str, ...],
    references: tuple[str, ...],
) -> int:
    """Show what `twinwall apply POLICY` would change: rules, settings, kernel objects; and what one should know before.

    The exit code is 0 if nothing would change, and 6 if something would.
    """
    asked = Asked(policy, stateless, keep, mode, inside, outside, home_net, references)
    gathered = asked.gather()
    if gathered is None:
        return ExitCode.POLICY
    desk = open_desk(state, no_wait=no_wait)
    with desk.locked("plan"):
        proposal = propose(desk, asked, gathered)
    proposal.show(every=every)
    return ExitCode.CHANGES if proposal.plan.changes else ExitCode.FINE
