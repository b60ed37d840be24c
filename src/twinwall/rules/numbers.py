"""The number grammars of keywords, and the numeric `Condition`s they mean.

    comparison = N | "=" N | "!" N | "!=" N | "<" N | "<=" N | ">" N | ">=" N | N "-" M | N "<>" M

Ranges leave out both ends, as in Suricata; a comparison that every packet or no packet satisfies is a mistake, as there.
"""

from __future__ import annotations

import re

from twinwall.policy.codes import Code
from twinwall.policy.model import Condition, PacketField
from twinwall.rules.keyword import UnprintableError, bad_value
from twinwall.rules.located import Mistake

NUMBER = r"([0-9]{1,10})(kb|mb|gb)?"
COMPARISON = re.compile(rf"\s*(<=|>=|!=|<|>|!|=)?\s*{NUMBER}\s*", re.IGNORECASE | re.ASCII)
BETWEEN = re.compile(rf"\s*{NUMBER}\s*(?:-|<>)\s*{NUMBER}\s*", re.IGNORECASE | re.ASCII)
PLAIN = re.compile(r"\s*([0-9]{1,10})\s*", re.ASCII)
UNITS = {None: 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}


def read_plain(value: str, top: int, low: int = 0) -> int:
    """One number, low..top, and nothing else."""
    match = PLAIN.fullmatch(value)
    if match is None:
        raise bad_value(value, f"{value.strip()!r} is not a number", f"write a whole number, {low} to {top}")
    number = int(match.group(1))
    if not low <= number <= top:
        raise bad_value(value, f"{number} is outside {low} to {top}", f"write a whole number, {low} to {top}")
    return number


def read_comparison(value: str, field: PacketField, top: int, *, units: bool = False) -> Condition:
    """A comparison of `field` with numbers 0..top; `units` allows kb, mb and gb."""
    match = COMPARISON.fullmatch(value)
    if match is not None:
        operator = match.group(1) or "="
        number = _bounded(value, match.group(2), match.group(3), top, units=units)
        if operator in ("=", "!", "!="):
            return Condition(field, ((number, number),), negated=operator != "=")
        low, high = _half(operator, number, top)
    else:
        between = BETWEEN.fullmatch(value)
        if between is None:
            hint = "write N, !N, <N, <=N, >N, >=N or N-M (both ends left out)"
            raise bad_value(value, f"{value.strip()!r} is not a comparison", hint)
        low = _bounded(value, between.group(1), between.group(2), top, units=units) + 1
        high = _bounded(value, between.group(3), between.group(4), top, units=units) - 1
    if low > high:
        raise Mistake(Code.NEVER_MATCHES, "no number satisfies this", 0, len(value), "a range N-M leaves out both N and M")
    if (low, high) == (0, top):
        raise bad_value(value, "every number satisfies this", "leave the keyword out")
    return Condition(field, ((low, high),))


def _half(operator: str, number: int, top: int) -> tuple[int, int]:
    return {"<": (0, number - 1), "<=": (0, number), ">": (number + 1, top), ">=": (number, top)}[operator]


def _bounded(value: str, digits: str, unit: str | None, top: int, *, units: bool) -> int:
    if unit is not None and not units:
        raise bad_value(value, f"{unit!r} has no meaning here", "write a plain number")
    number = int(digits) * UNITS[unit and unit.lower()]
    if number > top:
        raise bad_value(value, f"{number} is above {top}, the highest number there is")
    return number


def print_comparison(condition: Condition, top: int) -> str:
    """The canonical text of what `read_comparison` reads."""
    if len(condition.ranges) != 1:
        raise UnprintableError(f"{condition.field.name} in {len(condition.ranges)} ranges")
    low, high = condition.ranges[0]
    if low == high:
        return f"!{low}" if condition.negated else str(low)
    if condition.negated:
        raise UnprintableError(f"{condition.field.name} outside a range")
    if low == 0:
        return f"<{high + 1}" if high < top else f"<={high}"
    return f">{low - 1}" if high >= top else f"{low - 1}-{high + 1}"


def print_plain(condition: Condition) -> str:
    """The one number of an equality, with `!` in front where it is denied."""
    if len(condition.ranges) != 1 or condition.ranges[0][0] != condition.ranges[0][1]:
        raise UnprintableError(f"{condition.field.name} in a range")
    return f"{'!' if condition.negated else ''}{condition.ranges[0][0]}"
