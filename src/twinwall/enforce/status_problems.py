"""What is wrong with what is in force, each with what follows from it and the remedy.  Pure: it looks at a `Status`.

A problem makes `twinwall status` end with exit code 7; a remark is worth knowing and does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twinwall.enforce.recovery import describe
from twinwall.enforce.status import Status
from twinwall.policy.model import InspectionFailure

NEARLY_FULL = 0.9  # of the connection table


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do.  `kind` is stable: metrics and alerts go by it."""

    kind: str
    text: str
    remedy: str


def problems(status: Status) -> tuple[Problem, ...]:
    """Everything that is wrong, the worst first."""
    looks = (_nothing, _ruleset, _interfaces, _trial, _table, _queue, _settings)
    return tuple(problem for look in looks for problem in look(status))


def remarks(status: Status) -> tuple[str, ...]:
    """What is worth knowing, and not wrong."""
    return tuple(_remarks(status))


def _nothing(status: Status) -> Iterator[Problem]:
    if status.unknown is not None:
        yield Problem("unknown", f"{status.unknown.cause}: what is enforced cannot be told", status.unknown.remedy)
        return
    if status.force is not None:
        return
    chosen = status.confirmed.policy if status.confirmed is not None else None
    if chosen is None:
        yield Problem("none", "no policy is in force", "put one in force with `twinwall apply POLICY`")
    else:
        text = f"nothing is enforced, though {chosen.name} ({chosen.digest[:12]}) is confirmed: somebody removed our table"
        yield Problem("gone", text, "`twinwall boot` puts it back; `twinwall guard` watches over it")


def _ruleset(status: Status) -> Iterator[Problem]:
    if status.damaged:
        text = f"somebody else has changed the ruleset of {describe(status.force)}: what it does is not what the policy says"
        yield Problem("changed", text, "`twinwall guard --once` loads it again, `twinwall apply` does too")


def _interfaces(status: Status) -> Iterator[Problem]:
    for each in status.interfaces:
        if each.moved is not None:
            yield Problem("hidden", each.moved.text, f"`twinwall guard --once` undoes it; or {each.moved.remedy}")
        if each.present and not each.way:
            text = f"the stateless stage does not run on {each.name}: the ruleset drops everything that comes in there"
            yield Problem("interface", text, "`twinwall guard --once` puts it back")
        elif each.present and not each.stamped:
            text = f"{each.name} has lost the tc program behind XDP: the ruleset drops everything that comes in there"
            yield Problem("interface", text, "`twinwall guard --once` puts it back")


def _trial(status: Status) -> Iterator[Problem]:
    if status.pending is None or status.pending.deadline is None:
        return
    if status.expired:
        text = f"the trial of {describe(status.pending.new)} is over, and the policy before it is not back"
        yield Problem("expired", text, "`twinwall guard --once`, or any command that changes the policy, restores it")
    elif status.watchdog is None:
        text = f"nobody watches the trial of {describe(status.pending.new)}: it would not end by itself"
        yield Problem("unwatched", text, "`twinwall guard --once` starts another watchdog; or confirm it, or roll it back")


def _table(status: Status) -> Iterator[Problem]:
    table = status.table
    if table is None or not table.limit:
        return
    if table.entries >= table.limit * NEARLY_FULL:
        text = f"the connection table is nearly full: {table.entries:,} of {table.limit:,}; a full one refuses new connections"
        yield Problem("full", text, "raise `tracking.connections` in the policy, or see `twinwall connections --top`")


def _queue(status: Status) -> Iterator[Problem]:
    attach = status.policy.attach if status.policy is not None else None
    if status.force is None or status.force.queue == "none" or attach is None:
        return
    served = {each.number for each in status.queues}
    first, last = attach.queues
    missing = [number for number in range(first, last + 1) if number not in served]
    if missing:
        what = f"queue {missing[0]}" if len(missing) == 1 else f"{len(missing)} of {last - first + 1} queues"
        fate = "pass uninspected" if attach.on_inspection_failure is InspectionFailure.PASS else "are dropped"
        yield Problem("inspector", f"nobody inspects {what}: packets of `inspect` rules {fate}", "start `twinwall inspect`")


def _settings(status: Status) -> Iterator[Problem]:
    for each in status.settings:
        if each.setting.required:
            text = f"{each.setting.name} is {each.value}, and the policy wants {each.setting.value} ({each.setting.why})"
            yield Problem("setting", text, "`twinwall guard --once` sets it again")


def _remarks(status: Status) -> Iterator[str]:
    if status.pending is not None and status.pending.deadline is not None and not status.expired:
        yield f"on trial until {status.pending.until}: keep it with `twinwall confirm`"
    elif status.pending is not None:
        yield f"a `twinwall {status.pending.action}` has begun and is not finished"
    if status.force is not None and status.force.why:
        yield f"the stateless stage runs in nftables, not in XDP: {status.force.why}"
    for each in status.interfaces:
        if not each.present:
            yield f"there is no interface {each.name}; the policy waits for it"
    for name, lower in status.beside:
        yield f"{name} stands on {lower} and is not attached: the stateful stage does not see what comes in through it"
    for setting in status.settings:
        if not setting.setting.required:
            yield f"{setting.setting.name} is {setting.value} and not {setting.setting.value}: {setting.setting.why}"
    if status.table is not None and status.table.statistics.get("drop"):
        yield f"{status.table.statistics['drop']:,} packets were dropped since boot because the connection table was full"
    for queue in status.queues:
        if queue.refused_full + queue.refused_socket:
            refused = queue.refused_full + queue.refused_socket
            yield f"queue {queue.number} had no room for {refused:,} packets: the inspector does not keep up"
