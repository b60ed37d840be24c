"""What a user asked to apply, what it would change, and whether it would cut him off: before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from twinwall.cli.attach_options import attached
from twinwall.cli.exit_codes import complain
from twinwall.cli.policy_options import aws_options

if TYPE_CHECKING:
    from twinwall.enforce.blueprint import Blueprint
    from twinwall.enforce.change import Change
    from twinwall.enforce.desk import Desk
    from twinwall.enforce.journal import Author
    from twinwall.enforce.plan import Plan
    from twinwall.enforce.source import Gathered
    from twinwall.enforce.ssh import Refusal

Command = TypeVar("Command", bound=Callable[..., object])
WAYS = ("auto", "xdp", "nft")


def stateless_option(command: Command) -> Command:
    """Add `--stateless`."""
    return click.option(
        "--stateless", type=click.Choice(WAYS), default="auto", help="Form of the stateless stage.  [default: XDP if it can]"
    )(command)


@dataclass(frozen=True)
class Asked:
    """A command line about a policy."""

    path: str
    stateless: str
    keep: bool
    mode: str | None
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    home_net: tuple[str, ...]
    references: tuple[str, ...]

    def gather(self) -> Gathered | None:
        """Read the policy; print what is wrong with it, and None if that is an error."""
        from twinwall.enforce.source import gather  # noqa: PLC0415 - `--help` needs none of it

        options = aws_options(self.home_net, self.references)
        gathered = gather(self.path, options, lambda own: attached(own, self.mode, self.inside, self.outside))
        for diagnostic in gathered.reading.diagnostics:
            complain(str(diagnostic))
        return gathered if gathered.reading.policy is not None else None


@dataclass(frozen=True)
class Proposal:
    """A plan, and what the new policy refuses of the SSH session that it is asked for on."""

    plan: Plan
    refusal: Refusal | None
    unchecked: str = ""  # what could not be found out about SSH sessions

    def show(self, *, every: bool) -> None:
        """Print the plan."""
        from twinwall.cli.plan_text import plan_lines  # noqa: PLC0415 - `--help` needs none of it

        for line in plan_lines(self.plan, every=every):
            click.echo(line)
        if self.refusal is not None:
            what = "the SSH connection" if self.refusal.cuts else "another SSH connection like"
            fate = "cut" if self.refusal.cuts else "refused"
            click.echo(f"warning   {what} {self.refusal.session} would be {fate}: {self.refusal.why}")
        if self.unchecked:
            click.echo(f"warning   {self.unchecked}")

    def refuse_cutting(self, *, cut_me_off: bool) -> None:
        """Raise `EnforcementError` if it cuts the session and that is not wanted."""
        from twinwall.live.error import EnforcementError  # noqa: PLC0415 - `--help` needs none of it

        if self.refusal is not None and self.refusal.cuts and not cut_me_off:
            where = f"the SSH connection {self.refusal.session}, which this may be typed on"
            cause = f"it would cut {where}: {self.refusal.packet} meets {self.refusal.why}"
            remedy = "let the policy pass it, or say --cut-me-off (with --confirm-within, so that it comes back)"
            raise EnforcementError("apply the policy", cause, remedy)

    def change(self, action: str, whom: Author, confirm_within: float | None) -> Change:
        """The change that the plan is of."""
        from twinwall.enforce.change import Change  # noqa: PLC0415 - `--help` needs none of it

        return Change(action, self.plan.old, self.plan.new, whom, confirm_within, self.plan.difference.counts)


def propose(desk: Desk, asked: Asked, gathered: Gathered) -> Proposal:
    """Look at what is in force and at what is asked for.  Raises `EnforcementError` or `PolicyError`."""
    from twinwall.enforce.design import design  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.state import Preference  # noqa: PLC0415

    policy, source = gathered.reading.policy, gathered.source
    assert policy is not None
    assert source is not None
    standing = desk.in_force()
    new = design(source, policy, standing, desk.ways, preference=Preference(asked.stateless), keep=asked.keep)
    return propose_blueprint(desk, new)


def propose_removal(desk: Desk) -> Proposal:
    """No policy in the place of what is in force, known to the state folder or not."""
    from twinwall.enforce.plan import plan  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.live.error import EnforcementError  # noqa: PLC0415

    try:
        standing = desk.in_force()
    except EnforcementError as error:
        complain(f"warning: {error.cause}")
        standing = None
    return Proposal(plan(desk.blueprint(standing), desk.outline(standing), None, desk.machine), None)


def propose_blueprint(desk: Desk, new: Blueprint | None) -> Proposal:
    """The same, of a policy that is there already, or of none."""
    from twinwall.enforce.plan import plan  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.sessions import find_sessions  # noqa: PLC0415

    standing = desk.in_force()
    made = plan(desk.blueprint(standing), desk.outline(standing), new, desk.machine, damaged=desk.damaged(standing))
    if new is None:
        return Proposal(made, None)
    sessions = find_sessions()
    refusal = None
    if sessions.living:
        from twinwall.enforce.ssh import judge_all  # noqa: PLC0415 - it brings the engine

        refusal = judge_all(new.policy, new.compiled, sessions.living)
    return Proposal(made, refusal, sessions.unchecked)
