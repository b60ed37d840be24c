"""Sets of addresses and of ports: sorted, disjoint, inclusive intervals.

An `AddressSet` holds both families; `ANY` is every address of both.  Negation and union are exact, so a rule's groups,
variables and exclusions collapse into one value before anything is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Intervals = tuple[tuple[int, int], ...]

TOP_V4 = (1 << 32) - 1
TOP_V6 = (1 << 128) - 1
TOP_PORT = 65535


def normalise(intervals: Iterable[tuple[int, int]]) -> Intervals:
    """Sort intervals and join those that overlap or touch."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(intervals):
        if joined and low <= joined[-1][1] + 1:
            if high > joined[-1][1]:
                joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return tuple(joined)


def complement(intervals: Intervals, top: int) -> Intervals:
    """Everything in 0..top that `intervals` (normalised) leaves out."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in intervals:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= top:
        gaps.append((start, top))
    return tuple(gaps)


def intersect(left: Intervals, right: Intervals) -> Intervals:
    """What two normalised interval lists have in common."""
    common: list[tuple[int, int]] = []
    first, second = 0, 0
    while first < len(left) and second < len(right):
        low = max(left[first][0], right[second][0])
        high = min(left[first][1], right[second][1])
        if low <= high:
            common.append((low, high))
        if left[first][1] < right[second][1]:
            first += 1
        else:
            second += 1
    return tuple(common)


@dataclass(frozen=True)
class AddressSet:
    """IPv4 and IPv6 addresses as integers.  `negated`: the rule wrote an exclusion, which changes its `RuleType`."""

    v4: Intervals
    v6: Intervals
    negated: bool = False

    @classmethod
    def of(cls, *networks: IPv4Network | IPv6Network | IPv4Address | IPv6Address) -> AddressSet:
        """The union of networks and addresses."""
        bounds: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        for network in networks:
            if isinstance(network, IPv4Network | IPv6Network):
                pair = (int(network.network_address), int(network.broadcast_address))
            else:
                pair = (int(network), int(network))
            bounds[network.version == 6].append(pair)
        return cls(normalise(bounds[0]), normalise(bounds[1]))

    @cached_property
    def is_any(self) -> bool:
        """Whether every address of both families is in the set."""
        return self.v4 == ((0, TOP_V4),) and self.v6 == ((0, TOP_V6),)

    @property
    def is_empty(self) -> bool:
        """Whether no address is in the set."""
        return not self.v4 and not self.v6

    def __or__(self, other: AddressSet) -> AddressSet:
        return AddressSet(normalise(self.v4 + other.v4), normalise(self.v6 + other.v6), negated=self.negated or other.negated)

    def __and__(self, other: AddressSet) -> AddressSet:
        return AddressSet(intersect(self.v4, other.v4), intersect(self.v6, other.v6), negated=self.negated or other.negated)

    def __invert__(self) -> AddressSet:
        return AddressSet(complement(self.v4, TOP_V4), complement(self.v6, TOP_V6), negated=True)

    def contains(self, version: int, address: int) -> bool:
        """Whether the address (as an integer) of that IP version is in the set."""
        return any(low <= address <= high for low, high in (self.v4 if version == 4 else self.v6))


@dataclass(frozen=True)
class PortSet:
    """Ports.  `any` ports also match packets that have none."""

    ranges: Intervals

    @property
    def is_any(self) -> bool:
        """Whether the set asks nothing of a packet."""
        return self.ranges == ((0, TOP_PORT),)

    def __or__(self, other: PortSet) -> PortSet:
        return PortSet(normalise(self.ranges + other.ranges))

    def __and__(self, other: PortSet) -> PortSet:
        return PortSet(intersect(self.ranges, other.ranges))

    def __invert__(self) -> PortSet:
        return PortSet(complement(self.ranges, TOP_PORT))

    def contains(self, port: int) -> bool:
        """Whether the port is in the set."""
        return any(low <= port <= high for low, high in self.ranges)


ANY_ADDRESS = AddressSet(((0, TOP_V4),), ((0, TOP_V6),))
NO_ADDRESS = AddressSet((), ())
ANY_PORT = PortSet(((0, TOP_PORT),))
NO_PORT = PortSet(())
