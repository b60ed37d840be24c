"""What a keyword is: a record that says how its text is read into a draft, and written back from a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, Flag

from twinwall.policy.codes import Code
from twinwall.policy.model import Condition, PacketField, Rule
from twinwall.rules.draft import Draft
from twinwall.rules.located import Mistake


class Where(Flag):
    """The stages whose rules may use a keyword."""

    STATELESS = 1
    STATEFUL = 2
    BOTH = 3


class Value(Enum):
    """Whether a keyword is followed by `:value`."""

    NONE = "no value"
    REQUIRED = "a value"


Read = Callable[[str, Draft], None]  # raises Mistake with offsets into the value
Write = Callable[[Rule], Iterable[str]]  # one text per time the keyword is to be written; "" for a keyword without value


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword.  `takes` and `summary` are its documentation, `read` and `write` its meaning."""

    name: str
    family: str
    takes: str
    summary: str
    read: Read
    write: Write
    aliases: tuple[str, ...] = ()
    where: Where = Where.BOTH
    value: Value = Value.REQUIRED
    repeats: bool = True
    packet: bool = False  # makes an IP-only rule a packet rule (measured: Suricata 7.0.10 --engine-analysis)


def bad_value(value: str, message: str, hint: str = "") -> Mistake:
    """The whole value of a keyword is not what the keyword takes."""
    return Mistake(Code.BAD_VALUE, message, 0, len(value), hint)


def conditions_on(rule: Rule, field: PacketField) -> list[Condition]:
    """The rule's conditions on one field, in order."""
    return [condition for condition in rule.conditions if condition.field is field]


class UnprintableError(ValueError):
    """A rule says something that the rule language has no words for; rules from vendors' files may."""
