"""Two policies, rule by rule: what was added, removed, changed, moved; and which settings differ."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from twinwall.enforce.outline import STAGES, Outline, RuleLine


@dataclass(frozen=True)
class RuleChange:
    """One rule that differs: `before` None if it was added, `after` None if it was removed."""

    stage: str
    sid: int
    before: str | None
    after: str | None


@dataclass(frozen=True)
class SettingChange:
    """One setting that differs, by its place in the policy file."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """Everything that differs.  `moved`: how many rules stand elsewhere among the others."""

    rules: tuple[RuleChange, ...]
    moved: int
    settings: tuple[SettingChange, ...]

    def __bool__(self) -> bool:
        return bool(self.rules or self.moved or self.settings)

    def select(self, *, before: bool, after: bool) -> tuple[RuleChange, ...]:
        """Added (`before` False), removed (`after` False) or changed rules (both True)."""
        return tuple(each for each in self.rules if (each.before is not None) == before and (each.after is not None) == after)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rules were added, removed, changed and moved."""
        found = {
            "added": len(self.select(before=False, after=True)),
            "removed": len(self.select(before=True, after=False)),
            "changed": len(self.select(before=True, after=True)),
            "moved": self.moved,
        }
        return {name: count for name, count in found.items() if count}


def difference(before: Outline, after: Outline) -> Difference:
    """What changes from `before` to `after`; the settings only where both are policies."""
    rules: list[RuleChange] = []
    moved = 0
    for stage in STAGES:
        old, new = _by_number(getattr(before, stage)), _by_number(getattr(after, stage))
        rules += _changes(stage, old, new)
        moved += _moved([key for key in old if key in new], {key: place for place, key in enumerate(new)})
    return Difference(tuple(rules), moved, tuple(_settings(before, after)))


Key = tuple[int, int, int]  # gid, sid, and which of several with these: rules that nobody wrote have no numbers of their own


def _by_number(lines: Sequence[RuleLine]) -> dict[Key, RuleLine]:
    seen: dict[tuple[int, int], int] = {}
    found: dict[Key, RuleLine] = {}
    for line in lines:
        number = (line.gid, line.sid)
        seen[number] = which = seen.get(number, -1) + 1
        found[*number, which] = line
    return found


def _changes(stage: str, old: dict[Key, RuleLine], new: dict[Key, RuleLine]) -> Iterator[RuleChange]:
    for key, line in old.items():
        if key not in new:
            yield RuleChange(stage, line.sid, line.text, None)
    for key, line in new.items():
        before = old.get(key)
        if before != line:
            yield RuleChange(stage, line.sid, before.text if before else None, line.text)


def _moved(common: Sequence[Key], places: dict[Key, int]) -> int:
    """How few rules one would have to move to get from the old order to the new one: all but a longest rising sequence."""
    tails: list[int] = []
    for key in common:
        place = places[key]
        at = bisect_left(tails, place)
        tails[at : at + 1] = [place]
    return len(common) - len(tails)


def _settings(before: Outline, after: Outline) -> Iterator[SettingChange]:
    if before.settings is None or after.settings is None:
        return
    for name in dict.fromkeys((*before.settings, *after.settings)):
        old, new = before.settings.get(name, "none"), after.settings.get(name, "none")
        if old != new:
            yield SettingChange(name, old, new)
