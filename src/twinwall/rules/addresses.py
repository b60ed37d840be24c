"""Addresses of a rule: one address, a network, a range `low-high`, `any`; and back to text.

Networks may have host bits set (they are ignored, as in Suricata) and IPv4 ones may be written with a netmask.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import (
    IPv4Address,
    IPv6Address,
    ip_address,
    ip_network,
    summarize_address_range,
)

from twinwall.policy.codes import Code
from twinwall.policy.sets import (
    ANY_ADDRESS,
    NO_ADDRESS,
    TOP_V4,
    TOP_V6,
    AddressSet,
    Intervals,
    complement,
    intersect,
    normalise,
)
from twinwall.rules.expression import Grammar
from twinwall.rules.located import Mistake

OCTET = "(?:0|[1-9][0-9]{0,2})"
PREFIX = "(?:/(0|[1-9][0-9]{0,2}))?"
V4 = re.compile(rf"({OCTET}(?:\.{OCTET}){{3}}){PREFIX}")
V6 = re.compile(rf"([0-9A-Fa-f:]+){PREFIX}")
V4_ONLY = AddressSet(((0, TOP_V4),), ())
V6_ONLY = AddressSet((), ((0, TOP_V6),))


def read_item(text: str) -> AddressSet:
    """One element of an address list.  Raises `Mistake` with offsets into `text`."""
    try:
        if found := V4.fullmatch(text):
            return AddressSet(_network(int.from_bytes(map(int, found[1].split("."))), found[2], 32), ())
        if found := V6.fullmatch(text):
            return AddressSet((), _network(int(IPv6Address(found[1])), found[2], 128))
        return _read_unusual(text)
    except ValueError:
        raise Mistake(Code.BAD_ADDRESS, f"{text!r} is not an address", 0, len(text), _hint(text)) from None


def _network(address: int, prefix: str | None, bits: int) -> Intervals:
    """The addresses that have the first `prefix` of `bits` in common with `address`; itself, if there is no prefix."""
    if prefix is None:
        return ((address, address),)
    if int(prefix) > bits:
        raise ValueError("a prefix longer than an address")
    rest = (1 << bits - int(prefix)) - 1
    return ((address & ~rest, address | rest),)


def _read_unusual(text: str) -> AddressSet:
    """Ranges, netmasks, `any`, IPv6 addresses with dots; `ValueError` for anything else."""
    if "/" in text:
        return AddressSet.of(ip_network(text, strict=False))
    if "-" in text:
        return _range(text)
    if text.lower() == "any":
        return ANY_ADDRESS
    return AddressSet.of(ip_address(text))


def _range(text: str) -> AddressSet:
    low, high = (ip_address(part) for part in text.split("-", 1))
    if low.version != high.version:
        raise Mistake(Code.BAD_ADDRESS, "a range from one IP version to another", 0, len(text))
    if int(low) > int(high):
        raise Mistake(Code.BAD_ADDRESS, "the range ends before it begins", 0, len(text), f"write {high}-{low}")
    interval = ((int(low), int(high)),)
    return AddressSet(interval, ()) if low.version == 4 else AddressSet((), interval)


def _hint(text: str) -> str:
    if text.replace("_", "").isalpha() and text.isupper():
        return f"a variable is written ${text}"
    if text.startswith("@"):
        return "reference sets exist in AWS Network Firewall rule groups only; define a variable and write $NAME"
    if any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in text.split("/", 1)[0].split(".")):
        return "numbers of an IPv4 address have no leading zeros"
    return "an address looks like 10.0.0.1, 10.0.0.0/8, 10.0.0.1-10.0.0.9 or 2001:db8::/32"


def union(sets: Iterable[AddressSet]) -> AddressSet:
    """All addresses of all the sets, in one pass."""
    v4: list[tuple[int, int]] = []
    v6: list[tuple[int, int]] = []
    for each in sets:
        v4 += each.v4
        v6 += each.v6
    return AddressSet(normalise(v4), normalise(v6))


def settle(included: AddressSet | None, excluded: AddressSet | None) -> AddressSet:
    """What is left of `included`.  Each IP version is settled alone: one that is only excluded from starts from everything."""
    wanted = NO_ADDRESS if included is None else included
    if excluded is None:
        return wanted
    return AddressSet(_left(wanted.v4, excluded.v4, TOP_V4), _left(wanted.v6, excluded.v6, TOP_V6))


def _left(wanted: Intervals, unwanted: Intervals, top: int) -> Intervals:
    if not unwanted:
        return wanted
    kept = complement(unwanted, top)
    return intersect(wanted, kept) if wanted else kept


ADDRESSES = Grammar(
    item=read_item,
    union=union,
    settle=settle,
    nothing=NO_ADDRESS,
    code=Code.BAD_ADDRESS,
    noun="address",
    example="[10.0.0.0/8, !10.1.0.0/16, $HOME_NET]",
)


def print_addresses(addresses: AddressSet) -> str:
    """The canonical text: `any`, one item, or a list; exclusions where the set was written with them."""
    if addresses.is_any:
        return "any"
    if addresses.negated:
        return _print_negated(addresses)
    return _list(list(_items(addresses.v4, addresses.v6)))


def _print_negated(addresses: AddressSet) -> str:
    """A set that was written with `!` prints with one, because that decides the rule's type."""
    texts: list[str] = []
    harmless = ""  # an exclusion that changes nothing
    for version, own, top, whole in ((4, addresses.v4, TOP_V4, "0.0.0.0/0"), (6, addresses.v6, TOP_V6, "::/0")):
        items = _texts(own, version)
        gaps = _texts(complement(own, top), version)
        if own and gaps and len(gaps) <= len(items):
            texts += [f"!{gap}" for gap in gaps]
        else:
            texts += items
        if own and gaps:
            harmless = f"!{gaps[0]}"
        elif not own:
            harmless = harmless or f"!{whole}"
    return _list(texts if any(text[0] == "!" for text in texts) else [*texts, harmless])


def _texts(intervals: Intervals, version: int) -> list[str]:
    return list(_items(intervals, ()) if version == 4 else _items((), intervals))


def _items(v4: Intervals, v6: Intervals) -> Iterator[str]:
    for low, high in v4:
        networks = list(summarize_address_range(IPv4Address(low), IPv4Address(high)))
        if len(networks) == 1:
            yield str(networks[0].network_address) if low == high else str(networks[0])
        else:
            yield f"{IPv4Address(low)}-{IPv4Address(high)}"
    for low, high in v6:  # Suricata knows no IPv6 ranges
        for network in summarize_address_range(IPv6Address(low), IPv6Address(high)):
            yield str(network.network_address) if network.prefixlen == 128 else str(network)


def _list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"[{','.join(items)}]"
