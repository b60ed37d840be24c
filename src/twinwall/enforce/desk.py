"""Everything that a command which changes the policy needs, at one place: state, kernel, machine, watchdogs, who asks.

The commands of `cli` are thin over this; `boot`, `guard` and the watchdog use the same parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from twinwall.enforce import change, recovery, watchdog
from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.change import Change
from twinwall.enforce.design import Ways, design, standing
from twinwall.enforce.journal import Author, Outcome
from twinwall.enforce.lock import Holder, Lock
from twinwall.enforce.outline import NOTHING, Outline
from twinwall.enforce.plan import Machine
from twinwall.enforce.recovery import Attendant
from twinwall.enforce.state import Chosen, Confirmed, InForce, Pending, State, uptime
from twinwall.enforce.transaction import Kernel
from twinwall.live.error import EnforcementError


@dataclass
class Desk:
    """`waiting` hears who holds the lock, `said` what was put right before a command began; `patience` is for the lock."""

    state: State
    kernel: Kernel
    ways: Ways
    machine: Machine
    attendant: Attendant
    author: Author
    said: Callable[[str], None]
    waiting: Callable[[Holder], None]
    patience: float | None = None

    @contextmanager
    def locked(self, command: str) -> Iterator[None]:
        """Nobody else changes anything meanwhile, and what was left unfinished has been put right."""
        with Lock(self.state.lock, command, patience=self.patience, waiting=self.waiting) as lock:
            self.kernel.hold(lock.descriptor)
            self.state.remove_unfinished()
            done = recovery.recover(self.state, self.kernel, self.attendant, self.author)
            if done:
                self.said(done)
            yield

    def in_force(self) -> InForce | None:
        """What the kernel holds.  Raises `EnforcementError` if the state folder does not know it."""
        return standing(self.state, self.kernel)

    def blueprint(self, force: InForce | None) -> Blueprint | None:
        """What is in force, made again."""
        return recovery.blueprint(self.state, force)

    def outline(self, force: InForce | None) -> Outline:
        """What is in force, in outline."""
        return NOTHING if force is None else self.state.outline(force.chosen.digest)

    def damaged(self, force: InForce | None) -> bool:
        """Whether the ruleset in force is not as it was loaded; it is listed only if anybody changed any ruleset since."""
        if force is None or not force.fingerprint or force.version == self.kernel.ruleset_version():
            return False
        return force.fingerprint != self.kernel.fingerprint()

    def stored(self, chosen: Chosen, old: InForce | None) -> Blueprint:
        """A policy of the past, to be put in the place of `old`."""
        source = self.state.source(chosen.digest)
        return design(source, source.policy(), old, self.ways, preference=chosen.stateless)

    def carry_out(self, wanted: Change) -> Pending:
        """Make a change; the lock is held.  Raises `EnforcementError` if another one is on trial."""
        self.refuse_trial()
        if self.in_force() != (wanted.old.force if wanted.old else None):
            cause = "somebody else changed the policy since the plan was made"
            raise EnforcementError(wanted.action, cause, "look at the plan again")
        return change.carry_out(self.state, self.kernel, wanted, self.attendant.arm, self.said)

    def stop(self, wanted: Change) -> Pending:
        """Take everything away; the lock is held.  What the state folder does not know goes too."""
        self.refuse_trial()
        return change.carry_out(self.state, self.kernel, wanted, self.attendant.arm, self.said)

    def refuse_trial(self) -> None:
        """Raise `EnforcementError` if a change is on trial."""
        pending = self.state.pending()
        if pending is not None:
            cause = f"{recovery.describe(pending.new)} is on trial until {pending.until}"
            raise EnforcementError("change the policy", cause, "say `twinwall confirm` or `twinwall rollback` first")

    def confirm(self) -> Pending:
        """Let what is on trial stay, now and after a restart; the lock is held.  Raises `EnforcementError`."""
        pending = self.state.pending()
        if pending is None or pending.expired(uptime()):
            raise EnforcementError("confirm", "nothing is on trial", "see `twinwall journal` for what became of it")
        change.confirm(self.state, pending)
        troubles = [change.note(self.state, pending, Outcome.DONE, "confirmed", action="confirm", author=self.author)]
        try:
            change.keep_current(self.state, self.kernel, recovery.blueprint(self.state, pending.new))
            self.state.set_pending(None)
            self.state.forget_policies()
        except EnforcementError as error:
            troubles.append(str(error))
        for trouble in filter(None, troubles):
            self.said(f"warning: it is confirmed, and this could not be written: {trouble}")
        return pending

    def take_back(self) -> str:
        """End a trial before its time; what was done, empty if nothing is on trial.  The lock is held.

        The record says so first: killed meanwhile, the next command does it.  A disk that refuses keeps nobody from it.
        """
        pending = self.state.pending()
        if pending is None:
            return ""
        pending = pending.taken_back()
        with suppress(EnforcementError):
            self.state.set_pending(pending)
        return recovery.restore(self.state, self.kernel, pending, self.author, recovery.why_over(pending))

    def previous(self) -> Chosen:
        """The policy that `rollback` goes to.  Raises `EnforcementError` if there is none."""
        confirmed = self.state.confirmed() or Confirmed(None)
        if confirmed.previous is None:
            cause = "no other policy was confirmed before this one"
            raise EnforcementError("go back", cause, "apply another policy, or take this one away with `twinwall stop`")
        return confirmed.previous


def make_desk(
    state: State,
    author: Author,
    said: Callable[[str], None],
    *,
    patience: float | None = None,
    announce: Callable[[], None] | None = None,
) -> Desk:
    """The desk of this machine, in the network namespace of the calling thread."""
    from twinwall.enforce.linux import LinuxKernel  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.machine import LinuxMachine  # noqa: PLC0415

    kernel = LinuxKernel(state, announce)
    machine = LinuxMachine(kernel.programs)
    return Desk(
        state=state,
        kernel=kernel,
        ways=machine,
        machine=machine,
        attendant=watchdog.attendant(state),
        author=author,
        said=said,
        waiting=lambda holder: said(f"waiting for {holder}"),
        patience=patience,
    )
