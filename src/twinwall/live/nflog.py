"""NFLOG: packets that the ruleset reports, with what it says of them.

Messages: <linux/netfilter/nfnetlink_log.h>; everything in them is big-endian.  The kernel numbers what it sends to a
group, and gives up what does not fit in the socket's buffer: the gap in the numbers shows it, once the next packet has come.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from twinwall.live.netlink import NETLINK_NETFILTER, NetlinkError, NetlinkSocket, SocketHolder, attribute, attributes
from twinwall.live.receiver import claimed

SUBSYSTEM = 4 << 8
PACKET, CONFIG = SUBSYSTEM | 0, SUBSYSTEM | 1
# NFULA_CFG_*
COMMAND, MODE, BUFFER, TIMEOUT, THRESHOLD, FLAGS = 1, 2, 3, 4, 5, 6
BIND, UNBIND = 1, 2
COPY_PACKET = 2
NUMBERED = 1  # NFULNL_CFG_F_SEQ
# NFULA_*
HEAD, MARK, TIMESTAMP, IN, OUT, PAYLOAD, PREFIX, NUMBER, HOOK_NUMBER = 1, 2, 3, 4, 5, 9, 10, 12, 1
PHYSICAL_IN, PHYSICAL_OUT = 6, 7
PACKET_HEAD = struct.Struct("!HB")  # struct nfulnl_msg_packet_hdr: ethertype, hook
TIME = struct.Struct("!QQ")  # seconds, microseconds

GROUPS = Path("/proc/thread-self/net/netfilter/nfnetlink_log")
OTHER_GROUP = "end that program, or give the policy another group (`attach.log_group`)"
RECEIVE_BUFFER = 8 << 20
GROUP_BUFFER = 1 << 14  # bytes that the kernel sets aside for each datagram of gathered packets; a larger packet gets its own
GATHER = 10  # hundredths of a second after which it sends what it has gathered
GATHER_PACKETS = 64
AT_ONCE = 32  # datagrams that are handed on together: memory stays small, and so does the garbage collector's work


class LoggedPacket(NamedTuple):
    """One packet that a rule reported.  `packet` begins with its IP header; `captured` bytes of it at most were asked for."""

    packet: bytes
    mark: int
    prefix: str
    hook: int  # 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting
    family: int  # AF_INET, AF_INET6; of a bridge's packets AF_BRIDGE
    ethertype: int
    timestamp: int  # nanoseconds since 1970; 0: the kernel has not stamped it
    inside: int = 0  # index of the interface it came in by; 0: none
    outside: int = 0  # and of the one it leaves by
    port_inside: int = 0  # of a bridge, the index of the port
    port_outside: int = 0


class Logged(NamedTuple):
    """Packets in the order of the log, and how many before or among them were lost."""

    packets: list[LoggedPacket]
    lost: int


class LogGroup(SocketHolder):
    """Receives one NFLOG group of this network namespace, which nobody else may do at the same time.  A context manager.

    While nobody does, the kernel drops what rules report to the group.
    """

    def __init__(self, group: int, *, copy: int = 0xFFFF, buffer: int = RECEIVE_BUFFER, gather: int = GATHER) -> None:
        """`copy`: how many bytes of a packet to ask for.  `gather`: how long, in 1/100 s, a packet may wait for others."""
        self.group = group
        self._expected: int | None = None
        self._socket = NetlinkSocket(NETLINK_NETFILTER, receive_buffer=buffer)
        parts = (
            attribute(COMMAND, bytes([BIND])),
            attribute(MODE, struct.pack("!IBx", copy, COPY_PACKET)),
            attribute(BUFFER, GROUP_BUFFER.to_bytes(4)),
            attribute(TIMEOUT, gather.to_bytes(4)),
            attribute(THRESHOLD, (GATHER_PACKETS if gather else 1).to_bytes(4)),
            attribute(FLAGS, NUMBERED.to_bytes(2)),
        )
        head = struct.pack("!BBH", socket.AF_UNSPEC, 0, group)
        try:
            self._socket.request(f"receive log group {group}", CONFIG, head + b"".join(parts))
        except NetlinkError as error:
            self._socket.close()
            raise claimed(error, GROUPS, group, OTHER_GROUP) from None

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def receive(self, timeout: float | None = 0.0) -> Logged:
        """Wait for packets (None: for ever) and return those that came.  Raises `NetlinkError`."""
        messages = self._socket.receive(timeout, AT_ONCE).messages
        packets: list[LoggedPacket] = []
        lost = 0
        for message in messages:
            if message.kind == PACKET:
                found = attributes(message.payload, 4)
                lost += self._gap(found.get(NUMBER))
                packets.append(decode_packet(message.payload[0], found))
        return Logged(packets, lost)

    def _gap(self, number: bytes | None) -> int:
        if number is None:
            return 0
        current = int.from_bytes(number)
        missing = 0 if self._expected is None else current - self._expected & 0xFFFFFFFF
        self._expected = current + 1 & 0xFFFFFFFF
        return missing


def decode_packet(family: int, found: Mapping[int, bytes]) -> LoggedPacket:
    """The packet of an NFLOG message with these attributes."""
    said = found.get
    ethertype, hook = PACKET_HEAD.unpack_from(said(HEAD, b"\0\0\0"))
    when = said(TIMESTAMP, b"")
    seconds, micros = TIME.unpack(when) if len(when) == TIME.size else (0, 0)
    return LoggedPacket(
        said(PAYLOAD, b""),
        int.from_bytes(said(MARK, b"")),
        said(PREFIX, b"").rstrip(b"\0").decode(errors="replace"),
        hook,
        family,
        ethertype,
        seconds * 1_000_000_000 + micros * 1_000,
        int.from_bytes(said(IN, b"")),
        int.from_bytes(said(OUT, b"")),
        int.from_bytes(said(PHYSICAL_IN, b"")),
        int.from_bytes(said(PHYSICAL_OUT, b"")),
    )
