"""Which of the packets that went into the firewall came out on its other side.

A packet is recognised by everything but what a router changes: the link header, TTL or hop limit, and IPv4's header checksum.
Of several equal packets, a copy that came out is the latest that had gone in before it.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twinwall.lab import addresses
from twinwall.lab.tap import Seen

ETHERNET = 14
FIREWALL = frozenset(
    ipaddress.ip_interface(text).ip.packed for text in (*addresses.FIREWALL_INSIDE, *addresses.FIREWALL_OUTSIDE)
)


@dataclass(frozen=True)
class Crossing:
    """One packet that the firewall was to forward, and whether it did."""

    time: int
    side: str  # where it came from
    frame: bytes
    passed: bool

    @property
    def packet(self) -> bytes:
        """The packet without its link header."""
        return self.frame[ETHERNET:]


def destination(packet: bytes) -> bytes:
    """The destination address."""
    return packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]


def source(packet: bytes) -> bytes:
    """The source address."""
    return packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]


def forwardable(packet: bytes) -> bool:
    """Whether a router would hand this on: unicast between others than itself."""
    if len(packet) < (20 if packet[0] >> 4 == 4 else 40):
        return False
    there = ipaddress.ip_address(destination(packet))
    return not (there.is_multicast or there.is_link_local or {destination(packet), source(packet)} & FIREWALL)


def identity(packet: bytes) -> bytes:
    """What stays the same on a packet's way through a router, padding behind the packet left off."""
    if packet[0] >> 4 == 4:
        return packet[:8] + packet[9:10] + packet[12 : int.from_bytes(packet[2:4])]
    return packet[:7] + packet[8 : 40 + int.from_bytes(packet[4:6])]


def crossings(seen: Iterable[Seen]) -> list[Crossing]:
    """Every packet that entered, in order, with its fate."""
    entered: list[Seen] = []
    left: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    for each in sorted(seen, key=lambda each: each.time):
        packet = each.frame[ETHERNET:]
        if not forwardable(packet):
            continue
        if each.entering:
            entered.append(each)
        else:
            left[each.side, identity(packet)].append(each.time)
    fates = _fates(entered, left)
    return [Crossing(each.time, each.side, each.frame, fate) for each, fate in zip(entered, fates, strict=True)]


def _fates(entered: Sequence[Seen], left: dict[tuple[str, bytes], list[int]]) -> list[bool]:
    """Latest packet first: each takes the latest copy that came out after it."""
    fates = [False] * len(entered)
    for place in reversed(range(len(entered))):
        each = entered[place]
        other = "outside" if each.side == "inside" else "inside"
        copies = left.get((other, identity(each.frame[ETHERNET:])))
        if copies and copies[-1] >= each.time:
            copies.pop()
            fates[place] = True
    return fates
