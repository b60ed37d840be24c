"""What a killed command, a dead watchdog or a reboot left behind, finished or taken back.  Every command begins with this.

The kernel says which policy it holds; the record says what was meant:

| record | the kernel holds | then |
|---|---|---|
| none | anything | nothing to do |
| of an earlier boot | anything | the change is void: what was confirmed boots |
| on trial in another network namespace, and watched | anything | refused: this kernel state is not the one it is about |
| confirmed already | the new policy | the record is removed |
| confirmed with the change | the new policy | the change is finished |
| on trial, time left | the new policy | the change is finished and the trial goes on, with a new watchdog if there is none |
| on trial, its time over or being taken back | the new policy | the old policy is restored |
| any | anything else | what the change left of itself is removed; the old policy stays, or is put back |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twinwall.enforce import change, transaction
from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.journal import Author, Outcome
from twinwall.enforce.state import TAKEN_BACK, InForce, Pending, State, boot_id, namespace, uptime
from twinwall.enforce.transaction import Kernel
from twinwall.live.error import EnforcementError

INTERRUPTED = "finished after an interruption"


@dataclass(frozen=True)
class Attendant:
    """Who looks after a trial: whether a watchdog lives, and how to start one."""

    alive: Callable[[], bool]
    arm: change.Arm


def recover(state: State, kernel: Kernel, attendant: Attendant, author: Author) -> str:
    """Put right what is left; what was done, in words, empty if nothing was.  The lock is held.  Raises `EnforcementError`."""
    pending = state.pending()
    if pending is None:
        return ""
    if pending.boot != boot_id():
        return _void(state, pending, author)
    _refuse_elsewhere(state, pending, attendant)
    confirmed = state.confirmed()
    new = blueprint(state, pending.new)
    held = transaction.holds(kernel, new)
    if confirmed is not None and confirmed.trial == pending.id:
        if held:
            kernel.settle(new)
            state.set_current(change.observed(kernel, new))
        action = pending.action if pending.deadline is None else "confirm"
        change.note(state, pending, Outcome.DONE, INTERRUPTED, action=action)
        state.set_pending(None)
        return f"finished: the confirmation of {describe(pending.new)}"
    if not held:
        return _take_back(state, kernel, pending, author, new)
    if pending.deadline is None:
        return _finish(state, kernel, pending, new)
    if pending.expired(uptime()):
        return restore(state, kernel, pending, author, why_over(pending))
    if attendant.alive() and change.is_current(state, new):
        return ""
    return _resume(state, kernel, pending, attendant, new)


def _refuse_elsewhere(state: State, pending: Pending, attendant: Attendant) -> None:
    """Closing a trial that runs in another namespace would tell its watchdog that all is well, and change nothing there.

    Without a watchdog that namespace may be gone, a restarted container's for example, and nobody else closes the trial.
    """
    if pending.namespace not in ("", namespace()) and attendant.alive():
        cause = f"{describe(pending.new)} is on trial in another network namespace, with the same state folder {state.folder}"
        raise EnforcementError("look after the trial", cause, "give each network namespace a state folder of its own (--state)")


def restore(state: State, kernel: Kernel, pending: Pending, author: Author, why: str) -> str:
    """Put in force what was before `pending`; what was done, in words.

    The kernel comes first: a state folder that cannot be written keeps nobody from it.
    Raises `EnforcementError` if the kernel refuses.
    """
    old, new = blueprint(state, pending.old), blueprint(state, pending.new)
    return restore_prepared(state, kernel, pending, author, why, old=old, new=new)


def restore_prepared(
    state: State, kernel: Kernel, pending: Pending, author: Author, why: str, *, old: Blueprint | None, new: Blueprint | None
) -> str:
    """`restore`, with the blueprints at hand."""
    if transaction.holds(kernel, old):
        kernel.settle(old)
    else:
        transaction.replace(kernel, new, old)
    done = f"restored: {describe(pending.old)}, because {why}"
    troubles = [change.note(state, pending, Outcome.DONE, why, action="restore", author=author)]
    try:
        state.set_current(change.observed(kernel, old))
        state.set_pending(None)
    except EnforcementError as error:
        troubles.append(str(error))
    return "\n".join([done, *filter(None, troubles)])


def why_over(pending: Pending) -> str:
    """Why a trial has no time left, in words."""
    return "it was taken back" if pending.deadline == TAKEN_BACK else "its time was over and nobody had confirmed it"


def _void(state: State, pending: Pending, author: Author) -> str:
    change.note(state, pending, Outcome.FAILED, "the machine started anew before it was confirmed", author=author)
    state.set_current(None)
    state.set_pending(None)
    return f"forgotten: {describe(pending.new)}, which nobody had confirmed before the machine started anew"


def _take_back(state: State, kernel: Kernel, pending: Pending, author: Author, new: Blueprint | None) -> str:
    """The new policy is not in force: it never came to that, or somebody took it away."""
    old = blueprint(state, pending.old)
    if not transaction.holds(kernel, old):
        return restore(state, kernel, pending, author, "somebody else removed the ruleset")
    if pending.deadline == TAKEN_BACK or (pending.deadline is not None and change.is_current(state, new)):
        return restore(state, kernel, pending, author, why_over(pending))  # which was done already, all but the records
    kernel.settle(old)
    change.keep_current(state, kernel, old)
    change.note(state, pending, Outcome.REFUSED, "interrupted before anything had changed", author=author)
    state.set_pending(None)
    return f"taken back: an interrupted `twinwall {pending.action}`; in force: {describe(pending.old)}"


def _finish(state: State, kernel: Kernel, pending: Pending, new: Blueprint | None) -> str:
    kernel.settle(new)
    change.confirm(state, pending)
    troubles = change.close(state, kernel, pending, new, INTERRUPTED)
    return "\n".join([f"finished: a killed `twinwall {pending.action}`; in force: {describe(pending.new)}", *troubles])


def _resume(state: State, kernel: Kernel, pending: Pending, attendant: Attendant, new: Blueprint | None) -> str:
    watchdog = "its" if attendant.alive() else "a new"
    if not attendant.alive():
        attendant.arm(pending)
    kernel.settle(new)
    if not change.is_current(state, new):
        change.note_trial(state, pending, INTERRUPTED)
    state.set_current(change.observed(kernel, new))
    return f"resumed: the trial of {describe(pending.new)} until {pending.until}, with {watchdog} watchdog"


def blueprint(state: State, force: InForce | None) -> Blueprint | None:
    """What is or was in force, made again from the state folder.  Raises `EnforcementError`."""
    return None if force is None else Blueprint(force, state.source(force.chosen.digest))


def describe(force: InForce | None) -> str:
    """A policy in a sentence."""
    return "no policy" if force is None else f"{force.chosen.name} ({force.chosen.digest[:12]})"
