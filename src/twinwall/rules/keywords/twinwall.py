"""twinwall's own keywords: what a packet filter wants to know and Suricata's language cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterable

from twinwall.policy.codes import Code
from twinwall.policy.model import Action, Condition, PacketField, Rule
from twinwall.rules.draft import Draft
from twinwall.rules.keyword import Keyword, UnprintableError, Value, Where, bad_value, conditions_on
from twinwall.rules.located import Mistake

FRAGMENTS: dict[str, tuple[tuple[int, int], ...]] = {"no": ((0, 0),), "first": ((1, 1),), "later": ((2, 2),), "any": ((1, 2),)}
INTERFACE = re.compile(r"\s*(!)?\s*([A-Za-z0-9_.:@-]{1,64})\s*", re.ASCII)
MOST_INTERFACES = 255  # the record keeps the number in one byte


def _read_fragment(value: str, draft: Draft) -> None:
    ranges = FRAGMENTS.get(value.strip())
    if ranges is None:
        raise bad_value(value, f"{value.strip()!r} is not a kind of fragment", "one of no, first, later, any")
    draft.conditions.append(Condition(PacketField.FRAGMENT, ranges))


def _write_fragment(rule: Rule) -> Iterable[str]:
    words = {ranges: word for word, ranges in FRAGMENTS.items()}
    conditions = conditions_on(rule, PacketField.FRAGMENT)
    if any(condition.ranges not in words or condition.negated for condition in conditions):
        raise UnprintableError("a choice of fragments")
    return [words[condition.ranges] for condition in conditions]


def _read_interface(value: str, draft: Draft) -> None:
    match = INTERFACE.fullmatch(value)
    if match is None:
        raise bad_value(
            value, f"{value.strip()!r} is not the name of an interface", "write its name, with ! in front to exclude it"
        )
    number = draft.interfaces.number(match.group(2))
    if number > MOST_INTERFACES:
        raise Mistake(Code.TOO_MANY_NAMES, f"more than {MOST_INTERFACES} different interfaces", 0, len(value))
    draft.conditions.append(Condition(PacketField.INTERFACE, ((number, number),), negated=bool(match.group(1))))


def _write_interface(rule: Rule) -> Iterable[str]:
    """The interface's number; `printer` puts its name there."""
    conditions = conditions_on(rule, PacketField.INTERFACE)
    if any(len(condition.ranges) != 1 or condition.ranges[0][0] != condition.ranges[0][1] for condition in conditions):
        raise UnprintableError("a choice of interfaces")
    return [f"{'!' if condition.negated else ''}{condition.ranges[0][0]}" for condition in conditions]


def _read_inspect(_value: str, draft: Draft) -> None:
    if draft.action is Action.ALERT:
        hint = "write pass or drop; with the keyword `alert`, a pass rule reports too"
        raise Mistake(
            Code.CONFLICT, "`inspect` has the flow decided, and an alert rule decides nothing", -len("inspect"), 0, hint
        )
    draft.inspect = True


def _write_inspect(rule: Rule) -> Iterable[str]:
    return [""] if rule.inspect else []


KEYWORDS = (
    Keyword(
        "fragment",
        "twinwall",
        "`no`, `first`, `later`, `any`",
        "which piece of a fragmented datagram the packet is",
        _read_fragment,
        _write_fragment,
        where=Where.STATELESS,
        packet=True,
        repeats=False,
    ),
    Keyword(
        "interface",
        "twinwall",
        "a name, with `!` in front to exclude it",
        "the interface on which the packet came in",
        _read_interface,
        _write_interface,
    ),
    Keyword(
        "inspect",
        "twinwall",
        "nothing",
        "where Linux enforces it, the inspector decides the flow; asked of every packet",
        _read_inspect,
        _write_inspect,
        where=Where.STATEFUL,
        value=Value.NONE,
        repeats=False,
    ),
)
