"""Packets of which only the headers are known."""

from __future__ import annotations

import pytest

from twinwall.enforce.trace_packet import TracedPacket
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip
from twinwall.live.connection import FiveTuple


def traced(text, kept=None):
    return TracedPacket(encode_ip(Conversation().say(text))[:kept])


@pytest.mark.parametrize(
    "text",
    [
        "tcp 10.0.0.5:40000 > 198.51.100.7:443 S",
        "udp [2001:db8::5]:5000 > [2001:db8::7]:53",
        "icmp 10.0.0.5 > 198.51.100.7 echo-request",
        "gre 10.0.0.5 > 198.51.100.7",
    ],
)
def test_a_packet_is_said_as_it_was_said(text):
    assert str(traced(text)) == text


def test_what_the_kernel_left_out_is_filled_in():
    packet = traced("tcp 10.0.0.5:40000 > 198.51.100.7:443 P. len 500", kept=40)
    assert len(packet.whole) == 540
    assert "500 bytes of payload" in packet.told()


def test_fields_have_nftables_names():
    packet = traced("udp 10.0.0.5:5000 > 198.51.100.7:53")
    names = ("ip saddr", "ip daddr", "th sport", "th dport", "ip ttl")
    assert [packet.field(name) for name in names] == ["10.0.0.5", "198.51.100.7", "5000", "53", ""]


def test_a_connection_is_looked_for_by_ends_where_there_are_ports():
    assert traced("udp 10.0.0.5:5000 > 198.51.100.7:53").ends() == FiveTuple(
        bytes([10, 0, 0, 5]), bytes([198, 51, 100, 7]), 17, 5000, 53
    )
    assert traced("icmp 10.0.0.5 > 198.51.100.7 echo-request").ends() is None
