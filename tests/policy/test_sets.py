"""Sets of addresses and ports, held against sets of numbers."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from twinwall.policy.sets import ANY_ADDRESS, NO_ADDRESS, AddressSet, PortSet, complement, intersect, normalise

INTERVALS = st.lists(st.tuples(st.integers(0, 63), st.integers(0, 63)).map(lambda pair: (min(pair), max(pair))), max_size=6)


def members(intervals):
    return {value for low, high in intervals for value in range(low, high + 1)}


@given(INTERVALS, INTERVALS)
def test_the_operations_are_those_of_sets(left, right):
    first, second = normalise(left), normalise(right)
    assert members(first) == members(left)
    assert all(low <= high for low, high in first)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(first))
    assert members(complement(first, 63)) == set(range(64)) - members(first)
    assert members(intersect(first, second)) == members(first) & members(second)
    assert members((PortSet(first) | PortSet(second)).ranges) == members(first) | members(second)


def test_addresses_of_both_versions_live_in_one_set():
    both = AddressSet.of(ip_network("10.0.0.0/8"), ip_address("::1"))
    assert both.contains(4, 10 << 24)
    assert both.contains(6, 1)
    assert not both.contains(4, 1)
    assert (~both).negated
    assert ~~both == AddressSet(both.v4, both.v6, negated=True)
    assert (both & ~both).is_empty
    assert (both | ~both).is_any
    assert ANY_ADDRESS.is_any
    assert NO_ADDRESS.is_empty
