"""NFLOG, with real packets in a namespace of the test's own."""

from __future__ import annotations

import socket

import pytest

from tests.live.namespace import namespace
from twinwall.live.netlink import NetlinkError
from twinwall.live.nflog import LogGroup

pytestmark = pytest.mark.kernel

GROUP = 77
RULES = """
table inet t {
  chain out { type filter hook output priority 0;
    udp dport 9 meta mark set 0x00a01234 log group 77 prefix "ours"
  }
}
"""


@pytest.fixture
def space():
    with namespace() as made:
        made.run("nft", "-f", "-", text=RULES)
        with made.entered():
            yield made


def send(count, size=5, address="127.0.0.1"):
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as udp:
        for number in range(count):
            udp.sendto(number.to_bytes(4) + bytes(size - 4), (address, 9))


def received(log, count):
    packets, lost = [], 0
    while len(packets) < count:
        more = log.receive(timeout=5)
        assert more.packets
        packets += more.packets
        lost += more.lost
    return packets, lost


@pytest.mark.parametrize(("address", "header"), [("127.0.0.1", 28), ("::1", 48)])
def test_a_packet_arrives_with_what_the_rule_says_of_it(space, address, header):
    with LogGroup(GROUP) as log:
        send(1, address=address)
        (packet,), lost = received(log, 1)
    assert lost == 0
    assert (packet.mark, packet.prefix, packet.hook) == (0x00A01234, "ours", 3)
    assert len(packet.packet) == header + 5
    assert packet.packet[-5:] == bytes(5)
    assert packet.family == (socket.AF_INET6 if ":" in address else socket.AF_INET)
    assert packet.outside == 1
    assert packet.inside == 0


def test_no_more_of_a_packet_is_copied_than_asked_for(space):
    with LogGroup(GROUP, copy=40) as log:
        send(1, size=500)
        (packet,), _ = received(log, 1)
    assert len(packet.packet) == 40
    assert int.from_bytes(packet.packet[2:4]) == 528


def test_packets_arrive_in_order(space):
    with LogGroup(GROUP, gather=1) as log:
        send(200)
        packets, lost = received(log, 200)
    assert lost == 0
    assert [int.from_bytes(packet.packet[28:32]) for packet in packets] == list(range(200))


def test_what_does_not_fit_is_counted(space):
    with LogGroup(GROUP, buffer=4096, gather=0) as log:
        send(300, size=1000)
        _, lost = received(log, 1)
        # What was thrown away shows with the next packet that arrives.
        while (more := log.receive(timeout=0)).packets:
            lost += more.lost
        send(1)
        lost += received(log, 1)[1]
    assert lost > 100


def test_a_group_has_one_receiver(space):
    with LogGroup(GROUP), pytest.raises(NetlinkError, match=f"receive log group {GROUP}: Device or resource busy"):
        LogGroup(GROUP)
    with LogGroup(GROUP):
        pass
