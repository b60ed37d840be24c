"""NFQUEUE, with real packets in a namespace of the test's own."""

from __future__ import annotations

import contextlib
import select
import socket

import pytest

from tests.live.namespace import namespace
from twinwall.live import nfqueue
from twinwall.live.error import EnforcementError
from twinwall.live.netlink import NetlinkError
from twinwall.live.nfqueue import ACCEPT, DROP, Answer, PacketQueue, queues

pytestmark = pytest.mark.kernel

QUEUE = 7
# What the receiver of the packets sees of the mark: its lowest byte becomes the TOS field.
RULES = """
table ip t {
  chain late { type filter hook output priority 10;
    udp dport 9000-9009 counter
    meta mark 0x10 ip dscp set 1
    meta mark 0x20 ip dscp set 2
  }
}
"""


@pytest.fixture
def space():
    with namespace() as made:
        queue = ["-p", "udp", "--dport", "9000:9009", "-j", "NFQUEUE", "--queue-num", str(QUEUE)]
        made.run("iptables", "-A", "OUTPUT", *queue)
        made.run("nft", "-f", "-", text=RULES)
        with made.entered():
            yield made


@contextlib.contextmanager
def talkers():
    """A sender, and a receiver that sees the TOS field of what arrives."""
    with contextlib.ExitStack() as stack:
        sender, receiver = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
        receiver.bind(("127.0.0.1", 9000))
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        yield sender, receiver


def send(sender, count, size=4):
    for number in range(count):
        sender.sendto(number.to_bytes(4) + bytes(size - 4), ("127.0.0.1", 9000))


def arrived(receiver, count):
    """Number and DSCP of the next packets."""
    found = []
    for _ in range(count):
        assert select.select([receiver], [], [], 5)[0], f"{len(found)} of {count} packets arrived"
        data, ancillary, _, _ = receiver.recvmsg(100, 100)
        found.append((int.from_bytes(data[:4]), ancillary[0][2][0] >> 2))
    return found


def waiting(queue, count):
    packets = []
    while len(packets) < count:
        more = queue.receive(timeout=5)
        assert more
        packets += more
    return packets


def test_a_packet_waits_and_goes_on_with_the_mark_it_is_given(space):
    with talkers() as (sender, receiver), PacketQueue(QUEUE, fail_open=False) as queue:
        send(sender, 1)
        (packet,) = waiting(queue, 1)
        assert (packet.hook, packet.mark, packet.outside) == (3, 0, 1)
        assert packet.packet[28:] == bytes(4)
        assert not select.select([receiver], [], [], 0)[0]
        queue.answer([Answer(packet.number, 0x20)])
        assert arrived(receiver, 1) == [(0, 2)]


def test_runs_of_equal_answers_are_given_at_once_and_each_packet_gets_its_own(space):
    marks = [0x10] * 5 + [0x20] * 3 + [0x10, 0x20] + [0] * 4
    with talkers() as (sender, receiver), PacketQueue(QUEUE, fail_open=False) as queue:
        send(sender, len(marks))
        packets = waiting(queue, len(marks))
        dropped = 6
        queue.answer(
            [
                Answer(each.number, mark, DROP if at == dropped else ACCEPT)
                for at, (each, mark) in enumerate(zip(packets, marks, strict=True))
            ]
        )
        expected = [(at, {0x10: 1, 0x20: 2, 0: 0}[mark]) for at, mark in enumerate(marks) if at != dropped]
        assert arrived(receiver, len(expected)) == expected
        assert queue.receive(timeout=0) == []


@pytest.mark.parametrize("fail_open", [True, False])
def test_a_full_queue_drops_or_passes_and_is_counted(space, fail_open):
    with talkers() as (sender, receiver), PacketQueue(QUEUE, fail_open=fail_open, longest=4) as queue:
        send(sender, 10)
        (fill,) = queues()
        assert (fill.number, fill.waiting, fill.queued) == (QUEUE, 4, 4)
        if fail_open:
            assert [number for number, _ in arrived(receiver, 6)] == [4, 5, 6, 7, 8, 9]
        else:
            assert fill.refused_full == 6
            assert not select.select([receiver], [], [], 0)[0]
        queue.answer([Answer(packet.number, 0) for packet in waiting(queue, 4)])
        assert [number for number, _ in arrived(receiver, 4)] == [0, 1, 2, 3]


def test_a_full_socket_is_counted(space):
    with talkers() as (sender, _), PacketQueue(QUEUE, fail_open=False, buffer=8192) as queue:
        send(sender, 100, size=1000)
        assert queues()[0].refused_socket > 50
        assert queue.receive(timeout=5)


def test_what_waits_is_dropped_when_the_receiver_goes(space):
    with talkers() as (sender, receiver):
        with PacketQueue(QUEUE, fail_open=True) as queue:
            send(sender, 3)
            waiting(queue, 3)
        assert queues() == []
        with PacketQueue(QUEUE, fail_open=True) as queue:
            assert queue.receive() == []
        assert not select.select([receiver], [], [], 0)[0]


def test_a_queue_has_one_receiver(space):
    with PacketQueue(QUEUE, fail_open=False), pytest.raises(NetlinkError, match=r"\(process \d+\) receives it"):
        PacketQueue(QUEUE, fail_open=False)


def test_an_answer_for_a_packet_that_is_gone_is_no_failure(space):
    with PacketQueue(QUEUE, fail_open=False) as queue:
        queue.answer([Answer(1, 0)])
        assert queue.receive(timeout=1) == []


def test_a_kernel_without_queues_is_told_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(nfqueue, "STATISTICS", tmp_path / "missing")
    with pytest.raises(EnforcementError, match="this kernel has no NFQUEUE"):
        queues()
