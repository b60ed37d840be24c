"""Making a trial that differs as small as it can be while it still differs: fewer packets, then fewer rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tests.fidelity.traffic import datagrams
from tests.fidelity.witness import OutOfOrderError
from twinwall.live.error import EnforcementError

if TYPE_CHECKING:
    from tests.fidelity.trial import Trial

Item = TypeVar("Item")


def minimise(trial: Trial, first: int) -> Trial:
    """The smallest trial found; `first`: the index of the first packet on which the answers differ."""
    trial = replace(trial, sent=trial.sent[: first + 1]) if first >= 0 else trial
    groups = smallest(list(datagrams(list(trial.sent))), lambda kept: differs(replace(trial, sent=ordered(trial, kept))))
    trial = replace(trial, sent=ordered(trial, groups))
    rules = smallest(trial.text.rules(), lambda kept: differs(replace(trial, text=trial.text.keeping(frozenset(kept)))))
    return _fewer_rules_then(replace(trial, text=trial.text.keeping(frozenset(rules))))


def _fewer_rules_then(trial: Trial) -> Trial:
    """The same for the policy that replaces the first."""
    change = trial.change
    if change is None:
        return trial

    def keeping(kept: list[str]) -> Trial:
        return replace(trial, change=replace(change, text=change.text.keeping(frozenset(kept))))

    return keeping(smallest(change.text.rules(), lambda kept: differs(keeping(kept))))


def ordered(trial: Trial, groups: Sequence[Sequence[object]]) -> list:
    """The packets of the groups in the order of the trial."""
    kept = {id(each) for group in groups for each in group}
    return [each for each in trial.sent if id(each) in kept]


def differs(trial: Trial) -> bool:
    """Whether replay and kernel disagree; what cannot be judged is no disagreement."""
    try:
        return bool(trial.run().differences)
    except (OutOfOrderError, EnforcementError):
        return False


def smallest(items: list[Item], fails: Callable[[list[Item]], bool]) -> list[Item]:
    """Delta debugging: take away ever smaller parts as long as the rest still fails."""
    size = max(1, len(items) // 2)
    while items:
        start, shrunk = 0, False
        while start < len(items):
            rest = items[:start] + items[start + size :]
            if fails(rest):
                items, shrunk = rest, True
            else:
                start += size
        if size == 1 and not shrunk:
            break
        size = max(1, size // 2) if not shrunk or size > 1 else 1
    return items
