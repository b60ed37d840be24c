from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.policy.sets import AddressSet
from twinwall.rules.addresses import print_addresses, read_item, settle, union
from twinwall.rules.located import Mistake

V4 = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
V6 = st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number)))


@given(st.lists(V4 | V6, min_size=1, max_size=6))
def test_a_list_prints_as_itself(items):
    both = union(read_item(item) for item in items)
    text = print_addresses(both)
    assert union(read_item(item) for item in text.strip("[]").split(",")) == both


@given(V4 | V6, st.integers(0, 129))
def test_a_network_is_what_the_standard_library_says(address, prefix):
    try:
        expected = AddressSet.of(ip_network(f"{address}/{prefix}", strict=False))
    except ValueError:
        expected = None
    if expected is None:
        with pytest.raises(Mistake):
            read_item(f"{address}/{prefix}")
    else:
        assert read_item(f"{address}/{prefix}") == expected


@given(st.lists(V4, min_size=1, max_size=5), V4)
def test_what_is_excluded_is_out_and_the_rest_stays(items, other):
    wanted, unwanted = union(map(read_item, items)), read_item(other)
    left = settle(wanted, unwanted)
    for item in items:
        number = int(IPv4Address(item))
        inside = any(low <= number <= high for low, high in left.v4)
        assert inside is (item != other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.256",
        "10.0.0.1/33",
        "x",
        "abc",
        "8",
        "::1/129",
        "1::2::3",
        "12345::",
        "::1/",
        "10.0.0.1-::1",
        "HOME_NET",
        "@ref",
    ],
)
def test_what_is_no_address_is_a_mistake_with_its_place(text):
    with pytest.raises(Mistake):
        read_item(text)
