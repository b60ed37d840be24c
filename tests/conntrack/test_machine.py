"""Which packet may be a flow's first, and how long each protocol's flow lives, alone and answered."""

from __future__ import annotations

import struct

import pytest

from tests.conntrack.segments import PAIR6, Pair, chunk, init_chunk, ip
from tests.conntrack.tracked import SECOND, Tracked
from twinwall.policy.model import Timeout, Tracking

C = Pair()
S = C.swapped()


def gre(sender=C):
    return ip(sender.client.address, sender.server.address, 47, b"\0\0\x08\0" + bytes(20))


def esp(sender=C):
    return ip(sender.client.address, sender.server.address, 50, bytes(20))


FIRSTS = {
    "tcp syn": (C.tcp("S", 1), True), "tcp syn ecn": (C.tcp("SEW", 1), True), "tcp ack": (C.tcp("A", 1, 1), True),
    "tcp syn-ack": (C.tcp("SA", 1, 1), False), "tcp fin": (C.tcp("FA", 1, 1), False), "tcp rst": (C.tcp("R", 1), False),
    "tcp nothing": (C.tcp("", 1), False), "tcp syn-fin": (C.tcp("SF", 1), False),
    "udp": (C.udp(), True), "gre": (gre(), True), "esp": (esp(), True),
    "echo": (C.icmp(8), True), "echo reply": (C.icmp(0), False), "timestamp": (C.icmp(13), True),
    "information": (C.icmp(15), True), "mask": (C.icmp(17), True), "router": (C.icmp(9), False),
    "echo6": (PAIR6.icmp(128), True), "echo6 reply": (PAIR6.icmp(129), False), "node": (PAIR6.icmp(139), True),
    "mld2": (PAIR6.icmp(200), False),
    "init": (C.sctp(0, init_chunk(1, 5)), True), "sctp data": (C.sctp(9, chunk(0)), False),
    "sctp abort": (C.sctp(9, chunk(6)), False), "heartbeat": (C.sctp(9, chunk(4)), True),
}  # fmt: skip


@pytest.mark.parametrize("name", FIRSTS)
def test_what_may_begin_a_flow(name):
    packet, begins = FIRSTS[name]
    tracked = Tracked()
    assert tracked.says(packet) == ("NEW original" if begins else "INVALID")
    assert tracked.table.count == int(begins)


def test_without_tcp_loose_a_connection_begins_with_its_syn():
    tracked = Tracked(Tracking(connections=10, tcp_loose=False))
    assert tracked.says(C.tcp("A", 1, 1)) == "INVALID"
    assert tracked.says(C.tcp("S", 1)) == "NEW original"


UDPLITE = C.udp(protocol=136)[:26] + b"\x12\x34" + C.udp(protocol=136)[28:]
UDPLITE_BACK = S.udp(protocol=136)[:26] + b"\x12\x34" + S.udp(protocol=136)[28:]
T = Timeout
LIVES = {
    "udp": (C.udp(), S.udp(), T.UDP, T.UDP_STREAM),
    "udp-lite": (UDPLITE, UDPLITE_BACK, T.UDPLITE, T.UDPLITE_STREAM),
    "gre": (gre(), gre(S), T.GRE, T.GRE_STREAM),
    "icmp": (C.icmp(8), S.icmp(0), T.ICMP, T.ICMP),
    "icmpv6": (PAIR6.icmp(128), PAIR6.swapped().icmp(129), T.ICMPV6, T.ICMPV6),
    "esp": (esp(), esp(S), T.GENERIC, T.GENERIC),
    "tcp": (C.tcp("S", 1), None, T.TCP_SYN_SENT, None),
    "sctp": (C.sctp(0, init_chunk(1, 5)), None, T.SCTP_CLOSED, None),
}
TIMEOUTS = tuple((name, 1000 + at) for at, name in enumerate(Timeout))


@pytest.mark.parametrize("name", LIVES)
def test_each_protocol_has_its_own_lifetimes(name):
    question, answer, alone, answered = LIVES[name]
    tracked = Tracked(Tracking(connections=10, timeouts=TIMEOUTS))
    seconds = dict(TIMEOUTS)

    def left():
        return (int(tracked.only()["deadline"]) - tracked.now) / SECOND

    tracked.send(question)
    assert left() == seconds[alone]
    if answer is not None:
        tracked.wait(3)
        assert tracked.says(answer) == "ESTABLISHED reply"
        assert left() == seconds[alone]  # the reply itself is still judged by what was known before it
        tracked.wait(3)
        assert tracked.says(question) == "ESTABLISHED original"
        assert left() == seconds[answered]


@pytest.mark.parametrize("protocol", [6, 17, 132, 136, 1, 47])
def test_a_flow_needs_the_transport_header_that_makes_its_tuple(protocol):
    packet = bytearray(ip("10.0.0.1", "10.0.0.2", protocol, bytes(3)))
    assert Tracked().says(bytes(packet)) == "INVALID"
    assert Tracked().says(ip("10.0.0.1", "10.0.0.2", 99, bytes(3))) == "NEW original"


def test_icmp_of_the_other_family_is_no_query():
    assert Tracked().says(ip("10.0.0.1", "10.0.0.2", 58, struct.pack("!BBHHH", 128, 0, 0, 1, 1))) == "INVALID"
    assert Tracked().says(ip("2001:db8::1", "2001:db8::2", 1, struct.pack("!BBHHH", 8, 0, 0, 1, 1))) == "INVALID"
