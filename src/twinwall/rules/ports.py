"""Ports of a rule: `80`, `80:90`, `1024:`, `:1023`, `any`; and back to text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from twinwall.policy.codes import Code
from twinwall.policy.sets import ANY_PORT, NO_PORT, TOP_PORT, PortSet, complement, intersect, normalise
from twinwall.rules.expression import Grammar
from twinwall.rules.located import Mistake

ITEM = re.compile(r"([0-9]{0,9})(:?)([0-9]{0,9})", re.ASCII)


def read_item(text: str) -> PortSet:
    """One element of a port list.  Raises `Mistake` with offsets into `text`."""
    if text.lower() == "any":
        return ANY_PORT
    match = ITEM.fullmatch(text)
    if match is None:
        raise Mistake(Code.BAD_PORT, f"{text!r} is not a port", 0, len(text), _hint(text))
    first, colon, last = match.groups()
    low = int(first or 0)
    high = int(last or TOP_PORT) if colon else low
    if max(low, high) > TOP_PORT:
        raise Mistake(Code.BAD_PORT, f"{max(low, high)} is above the highest port", 0, len(text), f"ports are 0 to {TOP_PORT}")
    if low > high:
        raise Mistake(Code.BAD_PORT, "the range ends before it begins", 0, len(text), f"write {high}:{low}")
    return PortSet(((low, high),))


def _hint(text: str) -> str:
    low, dash, high = text.partition("-")
    if dash and low.isdecimal() and high.isdecimal():
        return f"a range of ports is written {low}:{high}"
    if text.replace("_", "").isalpha() and text.isupper():
        return f"a variable is written ${text}"
    return "a port is a number; for example 443, 8000:8080, 1024:, [80,443]"


def union(sets: Iterable[PortSet]) -> PortSet:
    """All ports of all the sets."""
    return PortSet(normalise([interval for each in sets for interval in each.ranges]))


def settle(included: PortSet | None, excluded: PortSet | None) -> PortSet:
    """What is left of `included`, or of all ports."""
    wanted = ANY_PORT if included is None else included
    return wanted if excluded is None else PortSet(intersect(wanted.ranges, complement(excluded.ranges, TOP_PORT)))


PORTS = Grammar(
    item=read_item,
    union=union,
    settle=settle,
    nothing=NO_PORT,
    code=Code.BAD_PORT,
    noun="port",
    example="[80, 443, 8000:8080, !8001]",
)


def print_ports(ports: PortSet) -> str:
    """The canonical text: `any`, one port or range, or a list; the exclusions instead where they are fewer."""
    if ports.is_any:
        return "any"
    items = [_print_range(low, high) for low, high in ports.ranges]
    gaps = [f"!{_print_range(low, high)}" for low, high in complement(ports.ranges, TOP_PORT)]
    shorter = gaps if len(gaps) < len(items) else items
    return shorter[0] if len(shorter) == 1 else f"[{','.join(shorter)}]"


def _print_range(low: int, high: int) -> str:
    if low == high:
        return str(low)
    return f"{low or ''}:{'' if high == TOP_PORT else high}"
