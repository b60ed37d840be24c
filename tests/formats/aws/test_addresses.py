"""Addresses and CIDRs."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.formats.aws.addresses import parse_network


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_network_is_read_with_bits_below_its_prefix_ignored(address, prefix):
    prefix = min(prefix, address.max_prefixlen)
    assert parse_network(f"{address}/{prefix}") == ip_network(f"{address}/{prefix}", strict=False)
    assert parse_network(str(address)) == ip_network(address)


@pytest.mark.parametrize(
    "text",
    ["", " 10.0.0.1", "10.0.0.1/", "10.0.0.0/255.0.0.0", "10.0.0.0/08.", "10.1", "any", "fe80::1%1", "٣.0.0.1", "1" * 60],
)
def test_other_texts(text):
    assert parse_network(text) is None
