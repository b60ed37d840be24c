"""NFQUEUE: packets that wait in the kernel until somebody says what becomes of them.

Messages: <linux/netfilter/nfnetlink_queue.h>, big-endian.  A verdict says that the packet goes on (ACCEPT), with a mark
of our choosing, or is gone (DROP).  Packets that share mark and verdict are answered with one message: a batch verdict covers
every packet of the queue up to its number.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from twinwall.live.error import EnforcementError
from twinwall.live.netlink import (
    ERROR,
    NETLINK_NETFILTER,
    REQUEST,
    Message,
    NetlinkError,
    NetlinkSocket,
    SocketHolder,
    attribute,
    attributes,
    refusal,
)
from twinwall.live.receiver import claimed

SUBSYSTEM = 3 << 8
PACKET, VERDICT, CONFIG, BATCH_VERDICT = (SUBSYSTEM | number for number in range(4))
# NFQA_CFG_*
COMMAND, PARAMETERS, LENGTH, MASK, FLAGS = 1, 2, 3, 4, 5
BIND, UNBIND = 1, 2
COPY_PACKET = 2
FAIL_OPEN, WITH_SEGMENTS = 1, 4  # NFQA_CFG_F_FAIL_OPEN, _GSO
# NFQA_*
HEAD, VERDICT_HEAD, MARK, IN, OUT, PAYLOAD, WIRE_LENGTH = 1, 2, 3, 5, 6, 10, 13
DROP, ACCEPT = 0, 1

RECEIVE_BUFFER = 16 << 20
ACTION = "read the queues' counters"
STATISTICS = Path("/proc/thread-self/net/netfilter/nfnetlink_queue")
OTHER_QUEUE = "end that program, or give the policy other queues (`attach.queues`)"
LONGEST_QUEUE = 8192  # packets that may wait
BURST = 256  # packets that are taken at once


class QueuedPacket(NamedTuple):
    """A packet that waits.  `packet` begins with its IP header; it may be longer than the link, to be cut on its way out."""

    number: int
    hook: int
    mark: int
    packet: bytes
    inside: int  # index of the interface it came in by; 0: none
    outside: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a packet."""

    number: int
    mark: int
    verdict: int = ACCEPT


class QueueFill(NamedTuple):
    """What the kernel says of one queue that somebody receives; it counts from the moment the queue was bound."""

    number: int
    waiting: int
    refused_full: int  # packets for which the queue had no room
    refused_socket: int  # packets for which the receiver's socket had no room
    queued: int
    receiver: int = 0  # the address of the socket that receives it


def queues() -> list[QueueFill]:
    """The queues of this network namespace that somebody receives.  Raises `EnforcementError`."""
    try:
        text = STATISTICS.read_text()
    except FileNotFoundError as error:
        raise EnforcementError(
            ACTION, "this kernel has no NFQUEUE", "use a kernel with CONFIG_NETFILTER_NETLINK_QUEUE"
        ) from error
    except OSError as error:
        remedy = "run it as root, or with CAP_NET_ADMIN in this network namespace"
        raise EnforcementError(ACTION, error.strerror or str(error), remedy) from error
    rows = [[int(word) for word in line.split()] for line in text.splitlines()]
    return [QueueFill(row[0], row[2], row[5], row[6], row[7], row[1]) for row in rows]


class PacketQueue(SocketHolder):
    """Receives one queue of this network namespace.  A context manager; while it is closed the kernel's failure policy holds.

    What waits in it when it is closed is dropped.

    `fail_open`: packets for which a full queue or a full socket has no room pass instead of being dropped.
    """

    def __init__(self, number: int, *, fail_open: bool, longest: int = LONGEST_QUEUE, buffer: int = RECEIVE_BUFFER) -> None:
        self.number = number
        self._head = struct.pack("!BBH", socket.AF_UNSPEC, 0, number)
        self._socket = NetlinkSocket(NETLINK_NETFILTER, receive_buffer=buffer)
        flags = WITH_SEGMENTS | (FAIL_OPEN if fail_open else 0)
        parts = (
            attribute(COMMAND, struct.pack("!BxH", BIND, socket.AF_UNSPEC)),
            attribute(PARAMETERS, struct.pack("!IB", 0xFFFF, COPY_PACKET)),
            attribute(LENGTH, longest.to_bytes(4)),
            attribute(MASK, (WITH_SEGMENTS | FAIL_OPEN).to_bytes(4)),
            attribute(FLAGS, flags.to_bytes(4)),
        )
        try:
            # One message: a queue that is bound and not yet set up would drop packets, whatever the policy says.
            self._socket.request(f"receive queue {number}", CONFIG, self._head + b"".join(parts))
        except NetlinkError as error:
            self._socket.close()
            raise claimed(error, STATISTICS, number, OTHER_QUEUE) from None

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def receive(self, timeout: float | None = 0.0) -> list[QueuedPacket]:
        """Wait for packets (None: for ever) and return those that came, in the order of the queue.  Raises `NetlinkError`."""
        messages = self._socket.receive(timeout, BURST).messages
        for message in messages:
            refused = refusal(f"answer queue {self.number}", message) if message.kind == ERROR else None
            if refused is not None and refused.number != errno.ENOENT:  # a packet may have gone with its interface
                raise refused
        return [decode_packet(message) for message in messages if message.kind == PACKET]

    def answer(self, answers: Sequence[Answer]) -> None:
        """Say what becomes of packets, given in the order of the queue and without a gap.  Raises `NetlinkError`."""
        messages = [self._verdict(kind, answer) for kind, answer in _grouped(answers)]
        if messages:
            self._socket.transact(f"answer queue {self.number}", messages)

    def _verdict(self, kind: int, answer: Answer) -> tuple[int, int, bytes]:
        said = attribute(VERDICT_HEAD, struct.pack("!II", answer.verdict, answer.number))
        return kind, REQUEST, self._head + said + attribute(MARK, answer.mark.to_bytes(4))


def _grouped(answers: Sequence[Answer]) -> list[tuple[int, Answer]]:
    """The messages to send: one for each run of packets that share mark and verdict."""
    runs: list[tuple[int, Answer]] = []
    for answer in answers:
        if runs and (runs[-1][1].mark, runs[-1][1].verdict) == (answer.mark, answer.verdict):
            runs[-1] = (BATCH_VERDICT, answer)
        else:
            runs.append((VERDICT, answer))
    return runs


def decode_packet(message: Message) -> QueuedPacket:
    """The packet of an NFQUEUE message."""
    found = attributes(message.payload, 4)
    number, _, hook = struct.unpack_from("!IHB", found.get(HEAD, bytes(7)))
    mark, inside, outside = (int.from_bytes(found.get(kind, b"")) for kind in (MARK, IN, OUT))
    return QueuedPacket(number, hook, mark, found.get(PAYLOAD, b""), inside, outside)
