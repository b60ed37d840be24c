"""Steps as nftables text: a map with an element for each box, and the expression that looks a packet up in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv6Address

from twinwall.policy.sets import Intervals
from twinwall.render.layers import Unit
from twinwall.render.match import DESTINATION, DESTINATION_PORT, FIELDS, SOURCE, SOURCE_PORT, TOPS

ADDRESS_TYPES = {4: "ipv4_addr", 6: "ipv6_addr"}
SWAPPED = (DESTINATION, SOURCE, DESTINATION_PORT, SOURCE_PORT)


def field_text(field: int, family: int, *, swapped: bool = False) -> str:
    """What reads a field off a packet; `swapped`: off the packet's answer."""
    ip = "ip" if family == 4 else "ip6"
    texts = (f"{ip} saddr", f"{ip} daddr", "th sport", "th dport")
    return texts[SWAPPED[field] if swapped else field]


class Sets:
    """The named sets of lines; equal ones are declared once.  `prefix` begins their names."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._names: dict[tuple[int, int, Intervals], str] = {}
        self.text: list[str] = []

    def name(self, field: int, family: int, content: Intervals) -> str:
        """The name of the set of these values."""
        address = field in (SOURCE, DESTINATION)
        key = (int(address), family if address else 0, content)
        if key not in self._names:
            name = f"{self._prefix}{'net' if address else 'port'}{family if address else ''}_{len(self._names) + 1}"
            self._names[key] = name
            write = writer(field, family)
            elements = [write(*bounds) for bounds in content]
            kind = ADDRESS_TYPES[family] if address else "inet_service"
            self.text.append(f"\tset {name} {{\n\t\ttype {kind}\n\t\tflags interval\n{listed(elements)}\t}}\n")
        return self._names[key]


def writer(field: int, family: int) -> Callable[[int, int], str]:
    """How an interval of a field is written."""
    if field in (SOURCE_PORT, DESTINATION_PORT):
        return lambda low, high: str(low) if low == high else f"{low}-{high}"
    return _network4 if family == 4 else _network6


def _network4(low: int, high: int) -> str:
    if low == high:
        return _dotted(low)
    size = high - low + 1
    if size & (size - 1) == 0 and low % size == 0:
        return f"{_dotted(low)}/{33 - size.bit_length()}"
    return f"{_dotted(low)}-{_dotted(high)}"


def _dotted(value: int) -> str:
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def _network6(low: int, high: int) -> str:
    if low == high:
        return str(IPv6Address(low))
    size = high - low + 1
    if size & (size - 1) == 0 and low % size == 0:
        return f"{IPv6Address(low)}/{129 - size.bit_length()}"
    return f"{IPv6Address(low)}-{IPv6Address(high)}"


def listed(elements: Sequence[str]) -> str:
    """An `elements =` clause."""
    if not elements:
        return ""
    return "\t\telements = {\n" + "".join(f"\t\t\t{each},\n" for each in elements) + "\t\t}\n"


def sized(count: int) -> str:
    """The size of a set of single values: a table that need not grow is found in faster."""
    return f"\t\tsize {count}\n" if count else ""


def map_text(name: str, units: Sequence[Unit], fields: Sequence[int], family: int, data: str, values: Iterable[str]) -> str:
    """The declaration of the map of units that do not overlap; `fields` are those of its key.

    `data` is the type of its `values`, one for each unit: a mark, or a verdict.
    """
    exact = all(unit.box[field][0] == unit.box[field][1] for unit in units for field in fields)
    kinds = [ADDRESS_TYPES[family] if field in (SOURCE, DESTINATION) else "inet_service" for field in fields]
    head = f"\tmap {name} {{\n\t\ttype {' . '.join(kinds)} : {data}\n"
    flags = sized(len(units)) if exact else "\t\tflags interval\n"
    return f"{head}{flags}\t\tcounter\n{listed(_elements(units, values, fields, family))}\t}}\n"


def _elements(units: Iterable[Unit], values: Iterable[str], fields: Sequence[int], family: int) -> list[str]:
    writers = [(field, writer(field, family)) for field in fields]
    return [
        f'{" . ".join(write(*unit.box[field]) for field, write in writers)} comment "sid {unit.match.sid}" : {value}'
        for unit, value in zip(units, values, strict=True)
    ]


def key_text(fields: Sequence[int], family: int, *, swapped: bool = False) -> str:
    """What is looked up in a map with these fields."""
    return " . ".join(field_text(field, family, swapped=swapped) for field in fields)


def line_text(unit: Unit, family: int, sets: Sets, *, swapped: bool = False) -> str:
    """What a whole match asks of addresses and ports: single intervals inline, others as named sets."""
    parts = []
    for field in range(FIELDS):
        content = unit.match.region[field]
        if content == ((0, TOPS[family][field]),):
            continue
        asked = writer(field, family)(*content[0]) if len(content) == 1 else f"@{sets.name(field, family, content)}"
        parts.append(f"{field_text(field, family, swapped=swapped)} {asked}")
    return " ".join(parts)
