"""Two policies, rule by rule: what was added, removed, changed, moved; and which settings differ."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum

from twinwall.policy.model import Policy, Rule

STAGES = ("stateless", "stateful")
RULES_APART = ("rules", "span", "name", "origin", "interfaces", "flowbits")  # told as rules, or not settings


@dataclass(frozen=True)
class RuleChange:
    """One rule that differs: `before` None if it was added, `after` None if it was removed."""

    stage: str
    before: Rule | None
    after: Rule | None

    @property
    def sid(self) -> int:
        """The rule's number."""
        rule = self.after or self.before
        assert rule is not None
        return rule.sid


@dataclass(frozen=True)
class SettingChange:
    """One setting that differs, by its place in the policy file."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """Everything that differs.  `moved`: rules that stand elsewhere among the others, by stage."""

    rules: tuple[RuleChange, ...]
    moved: dict[str, int]
    settings: tuple[SettingChange, ...]

    def __bool__(self) -> bool:
        return bool(self.rules or any(self.moved.values()) or self.settings)

    def select(self, *, before: bool, after: bool) -> tuple[RuleChange, ...]:
        """Added (`before` False), removed (`after` False) or changed rules (both True)."""
        return tuple(each for each in self.rules if (each.before is not None, each.after is not None) == (before, after))

    @property
    def counts(self) -> dict[str, int]:
        """How many rules were added, removed, changed and moved."""
        found = {
            "added": len(self.select(before=False, after=True)),
            "removed": len(self.select(before=True, after=False)),
            "changed": len(self.select(before=True, after=True)),
            "moved": sum(self.moved.values()),
        }
        return {name: count for name, count in found.items() if count}


def difference(before: Policy | None, after: Policy | None) -> Difference:
    """What changes from `before` to `after`; None is no policy, which has no rules and no settings."""
    rules: list[RuleChange] = []
    moved: dict[str, int] = {}
    for stage in STAGES:
        old, new = (_by_number(policy, stage) for policy in (before, after))
        rules += _changes(stage, old, new)
        moved[stage] = _moved([key for key in old if key in new], {key: place for place, key in enumerate(new)})
    settings = tuple(_settings("", before, after)) if before is not None and after is not None else ()
    return Difference(tuple(rules), moved, settings)


Key = tuple[
    int, int, int
]  # gid, sid, and which of several rules with that number: those that nobody wrote have none of their own


def _by_number(policy: Policy | None, stage: str) -> dict[Key, Rule]:
    found: dict[Key, Rule] = {}
    if policy is None:
        return found
    for rule in getattr(policy, stage).rules:
        number = 0
        while (rule.gid, rule.sid, number) in found:
            number += 1
        found[rule.gid, rule.sid, number] = rule
    return found


def _changes(stage: str, old: dict[Key, Rule], new: dict[Key, Rule]) -> Iterator[RuleChange]:
    for key, rule in old.items():
        if key not in new:
            yield RuleChange(stage, rule, None)
    for key, rule in new.items():
        before = old.get(key)
        if before is None or not _same(before, rule):
            yield RuleChange(stage, before, rule)


def _same(before: Rule, after: Rule) -> bool:
    """Whether two rules mean the same, wherever they stand; a variable with other contents is another meaning."""
    if before is after:
        return True
    return before.text == after.text and all(
        getattr(before, each.name) == getattr(after, each.name) for each in fields(Rule) if each.name not in ("span", "group")
    )


def _moved(common: Sequence[Key], places: dict[Key, int]) -> int:
    """How few rules one would have to move to get from the old order to the new one: all but a longest rising sequence."""
    tails: list[int] = []
    for key in common:
        place = places[key]
        at = bisect_left(tails, place)
        tails[at : at + 1] = [place]
    return len(common) - len(tails)


def _settings(name: str, before: object, after: object) -> Iterator[SettingChange]:
    """The settings that differ, as far down as they have names."""
    if before == after:
        return
    if is_dataclass(before) and is_dataclass(after) and type(before) is type(after):
        for each in fields(before):
            if each.name not in RULES_APART:
                inner = f"{name}.{each.name}" if name else each.name
                yield from _settings(inner, getattr(before, each.name), getattr(after, each.name))
        return
    yield SettingChange(name, _words(before), _words(after))


def _words(value: object) -> str:
    """A setting as a policy file would say it."""
    if value is None:
        return "(none)"
    if isinstance(value, Enum):
        return str(value.value if isinstance(value.value, str) else value.value[0])
    if isinstance(value, tuple):
        return f"[{', '.join(_words(each) for each in value)}]"
    if is_dataclass(value):
        said = ((each.name, getattr(value, each.name)) for each in fields(value) if each.name not in RULES_APART)
        return f"{{{', '.join(f'{name}: {_words(inner)}' for name, inner in said)}}}"
    return str(value)
