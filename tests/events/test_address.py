from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from twinwall.events.address import eve_address


@given(st.integers(0, 2**32 - 1))
def test_ipv4_is_a_dotted_quad(number):
    assert eve_address(4, 0, number) == str(IPv4Address(number))


@given(st.integers(0, 2**128 - 1))
def test_ipv6_is_written_in_full(number):
    assert eve_address(6, number >> 64, number & (2**64 - 1)) == IPv6Address(number).exploded
