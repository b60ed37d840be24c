"""Filters as nftables text."""

from __future__ import annotations

import pytest

from twinwall.enforce.trace_filter import filter_of, parse_packet_filter
from twinwall.engine.spoken_parser import parse_packet
from twinwall.live.connection_filter import FilterError


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ("",)),
        ("any", ("",)),
        ("tcp", ("meta l4proto 6",)),
        ("ip 89", ("meta l4proto 89",)),
        ("tcp 10.0.0.0/8 > :443", ("meta l4proto 6 ip saddr 10.0.0.0/8 th dport 443-443",)),
        ("udp > 192.0.2.1:53", ("meta l4proto 17 ip daddr 192.0.2.1/32 th dport 53-53",)),
        ("tcp any > [2001:db8::7]:22", ("meta l4proto 6 ip6 daddr 2001:db8::7/128 th dport 22-22",)),
        ("192.0.2.1", ("ip saddr 192.0.2.1/32", "ip daddr 192.0.2.1/32")),
        (":80-90", tuple(f"meta l4proto {{ 6, 17, 132, 136 }} th {port} 80-90" for port in ("sport", "dport"))),
    ],
)
def test_a_filter_is_what_nftables_is_asked(text, lines):
    assert parse_packet_filter(text).lines() == lines


@pytest.mark.parametrize(
    "text", ["tcp 10.0.0.1 10.0.0.2", "tcp nonsense", "ip", "ip 300", "tcp 10.0.0.1 > 10.0.0.2 ESTABLISHED", "tcp :99999"]
)
def test_anything_else_is_refused_with_a_hint(text):
    with pytest.raises(FilterError, match="hint: "):
        parse_packet_filter(text)


def test_a_packet_stands_for_its_protocol_and_ends():
    packet = parse_packet("tcp 10.0.0.5:40000 > 198.51.100.7:443 S")
    assert filter_of(packet).lines() == (
        "meta l4proto 6 ip saddr 10.0.0.5/32 th sport 40000-40000 ip daddr 198.51.100.7/32 th dport 443-443",
    )
    ping = parse_packet("icmp 10.0.0.5 > 198.51.100.7 echo-request")
    assert filter_of(ping).lines() == ("meta l4proto 1 ip saddr 10.0.0.5/32 ip daddr 198.51.100.7/32",)
