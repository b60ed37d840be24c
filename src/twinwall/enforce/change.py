"""One change of the policy, from its record in the state folder to the line in the journal.

Whoever calls this holds the lock and has called `recovery.recover`.  The record (`pending.json`) is written first and removed
last: what lies between is what `recovery` finishes or takes back.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from twinwall.enforce import transaction
from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.journal import Author, Entry, Outcome, now
from twinwall.enforce.state import Confirmed, InForce, Pending, State, boot_id, namespace, uptime
from twinwall.enforce.transaction import Kernel
from twinwall.live.error import EnforcementError


@dataclass(frozen=True)
class Change:
    """What somebody asked for.  `new` None: no policy.  `confirm_within`: seconds of trial; None: confirmed with the change."""

    action: str
    old: Blueprint | None
    new: Blueprint | None
    author: Author
    confirm_within: float | None = None
    rules: dict[str, int] = field(default_factory=dict)


Arm = Callable[[Pending], None]  # start the watchdog and return when it watches; raises EnforcementError


def carry_out(state: State, kernel: Kernel, change: Change, arm: Arm, said: Callable[[str], None]) -> Pending:
    """Make the change.  Raises `EnforcementError` (or `PolicyError`); nothing has changed then, and the journal says so.

    `said` hears what could not be written although the change was made, and what comes of it.
    """
    pending = _record(change)
    if change.new is not None:
        _ = change.new.ruleset  # what cannot be rendered is refused before anything is written
        state.keep_source(change.new.source)
        state.keep_outline(change.new.source.digest, change.new.outline)
        state.keep_ruleset(change.new.source.digest, change.new.ruleset.text)
    state.set_pending(pending)
    try:
        if change.confirm_within is not None:
            arm(pending)
        if change.new is not None:
            kernel.forget(change.new.force.generation)
            _number_flow_bits(state, kernel, change.new.force)
        transaction.replace(kernel, change.old, change.new)
    except EnforcementError as error:
        close_refused(state, pending, error)
        raise
    troubles = [] if change.confirm_within is None else note_trial(state, pending, f"until {pending.until}")
    try:
        _settle_record(state, kernel, pending, change)
    except EnforcementError as error:  # what is not written down could not be taken back, nor put in force at the next start
        transaction.replace(kernel, change.new, change.old)
        close_refused(state, pending, error)
        raise
    if change.confirm_within is None:
        troubles = close(state, kernel, pending, change.new)
    for trouble in troubles:
        said(f"warning: the change is made, and this could not be written: {trouble}")
    return pending


def _number_flow_bits(state: State, kernel: Kernel, new: InForce) -> None:
    """Where the numbers go on from the last ones, write them down before a packet can use them, whatever becomes of `new`.

    Else they begin anew, and what connections have from earlier policies would be taken for something else.
    """
    last = state.current()
    if last is None or new.labels[: len(last.labels)] != last.labels:
        kernel.forget_flow_bits()
    elif new.labels != last.labels:
        state.set_current(replace(last, labels=new.labels))


def _record(change: Change) -> Pending:
    """What the state folder says of the change while it lasts."""
    seconds = change.confirm_within
    until = datetime.now(UTC) + timedelta(seconds=seconds or 0)
    return Pending(
        id=os.urandom(8).hex(),
        action=change.action,
        old=_with_labels(change.old.force, change.new) if change.old else None,
        new=change.new.force if change.new else None,
        author=change.author,
        boot=boot_id(),
        deadline=None if seconds is None else uptime() + seconds,
        until="" if seconds is None else until.isoformat(timespec="seconds").replace("+00:00", "Z"),
        rules=change.rules,
        namespace=namespace(),
    )


def _with_labels(old: InForce, new: Blueprint | None) -> InForce:
    """What was in force, as it is to be put back: the numbers that `new` gave stay given."""
    return replace(old, labels=new.force.labels) if new is not None else old


def observed(kernel: Kernel, target: Blueprint | None) -> InForce | None:
    """What is in force now, with what only the kernel knows of it."""
    if target is None:
        return None
    version = kernel.ruleset_version()  # first: a change between the two is then found, not taken for ours
    fingerprint = kernel.fingerprint()
    homes = {**target.force.homes, **kernel.homes(target)}  # of an interface that is away just now, as it was
    modes = kernel.modes(target)
    return replace(target.force, modes=modes, homes=homes, version=version, fingerprint=fingerprint, since=now())


def _settle_record(state: State, kernel: Kernel, pending: Pending, change: Change) -> None:
    """Write what decides what becomes of the change: that it is confirmed, or on trial in this form.

    One file, and the last thing that may be refused: whatever is written behind it, the next command can find out.
    """
    if change.confirm_within is None:
        confirm(state, pending)
    else:
        state.set_current(observed(kernel, change.new))


def note_trial(state: State, pending: Pending, detail: str) -> list[str]:
    """Into the journal, before the record of what is in force: killed in between, there are two lines, and not none."""
    return list(filter(None, [note(state, pending, Outcome.ON_TRIAL, detail)]))


def close(state: State, kernel: Kernel, pending: Pending, new: Blueprint | None, detail: str = "") -> list[str]:
    """The change is in force and confirmed: say so everywhere, the record last; what could not be written."""
    trouble = _refusal(lambda: state.set_current(observed(kernel, new)))
    unnoted = note(state, pending, Outcome.DONE, detail)  # before the record goes, as in `note_trial`
    if not trouble:
        trouble = _refusal(lambda: state.set_pending(None)) or _refusal(state.forget_policies)
    return [each for each in (trouble, unnoted) if each]


def _refusal(step: Callable[[], None]) -> str:
    """What refused it; empty if nothing did."""
    try:
        step()
    except EnforcementError as error:
        return str(error)
    return ""


def keep_current(state: State, kernel: Kernel, new: Blueprint | None) -> None:
    """Write what is in force, if the change that put it there was killed before it did."""
    if not is_current(state, new):
        state.set_current(observed(kernel, new))


def is_current(state: State, new: Blueprint | None) -> bool:
    """Whether it is written that `new` is in force, which is done once it is in every part."""
    known = state.current()
    return (known.generation if known else None) == (new.force.generation if new else None)


def confirm(state: State, pending: Pending) -> None:
    """Let what `pending` put in force be what boots."""
    before = state.confirmed()
    chosen = pending.new.chosen if pending.new else None
    last = before.policy if before else None
    previous = before.previous if before and last == chosen else last
    state.set_confirmed(Confirmed(chosen, previous, now(), pending.id))


def close_refused(state: State, pending: Pending, error: EnforcementError) -> None:
    """Nothing has changed.  The refusal itself is what the user must hear, whatever else goes wrong now."""
    note(state, pending, Outcome.REFUSED, f"{error.action}: {error.cause}")
    with suppress(EnforcementError):
        state.set_pending(None)


def note(
    state: State, pending: Pending, outcome: Outcome, detail: str = "", action: str = "", author: Author | None = None
) -> str:
    """Write the journal; what refused it, if anything did: by now the change has happened, and is not undone for a line."""
    entry = Entry(
        time=now(),
        action=action or pending.action,
        outcome=outcome,
        author=author or pending.author,
        policy=pending.new.chosen.digest if pending.new else "",
        before=pending.old.chosen.digest if pending.old else "",
        name=pending.new.chosen.name if pending.new else "",
        rules=pending.rules,
        detail=detail,
    )
    try:
        state.journal.write(entry)
    except EnforcementError as error:
        return str(error)
    return ""
