"""Reading NFLOG messages: a netlink socket bound to one group, and what the harness needs of each message."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Self

SO_RCVBUFFORCE = 33
NETLINK_NETFILTER = 12
ULOG = 4 << 8  # the subsystem
MSG_PACKET, MSG_CONFIG = ULOG | 0, ULOG | 1
CFG_CMD, CFG_MODE, CFG_NLBUFSIZ, CFG_TIMEOUT, CFG_QTHRESH = 1, 2, 3, 4, 5
CMD_BIND = 1
COPY_PACKET = 2
A_PACKET_HDR, A_MARK, A_PAYLOAD, A_PREFIX = 1, 2, 9, 10
NLM_F_REQUEST, NLM_F_ACK = 1, 4
COPIED = 64  # bytes of each packet
TICKS = 1  # hundredths of a second that messages may wait to be sent together
PATIENCE = 20  # seconds after which something is broken: a marker's message always comes


class Message(NamedTuple):
    """One log statement that a packet met."""

    prefix: str
    mark: int
    packet: bytes  # its first bytes, from the IP header


class NflogReader:
    """A context manager; lives in the network namespace that the calling thread is in when it is made."""

    def __init__(self, group: int, batch_bytes: int, receive_buffer: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer)
        self._socket.settimeout(PATIENCE)
        self._socket.bind((0, 0))
        self._group = group
        self._config(CFG_CMD, struct.pack("B", CMD_BIND))
        self._config(CFG_MODE, struct.pack("!IBB", COPIED, COPY_PACKET, 0))
        self._config(CFG_NLBUFSIZ, struct.pack("!I", batch_bytes))
        self._config(CFG_TIMEOUT, struct.pack("!I", TICKS))
        self._config(CFG_QTHRESH, struct.pack("!I", 1000))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _config(self, kind: int, value: bytes) -> None:
        attribute = struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
        body = struct.pack("!BBH", socket.AF_UNSPEC, 0, self._group) + attribute
        self._socket.send(struct.pack("IHHII", 16 + len(body), MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK, 0, 0) + body)
        answer = self._socket.recv(4096)
        error = -struct.unpack_from("i", answer, 16)[0]
        if error:
            raise OSError(error, f"NFLOG group {self._group}, setting {kind}")

    def read_until(self, prefix: str) -> list[Message]:
        """Every message up to the one with this prefix, which is left out.  Raises OSError if messages were lost."""
        messages: list[Message] = []
        while True:
            data = self._socket.recv(1 << 20)
            at = 0
            while at < len(data):
                length, kind = struct.unpack_from("IH", data, at)
                if kind == MSG_PACKET:
                    message = parse(data, at + 20, at + length)
                    if message.prefix == prefix:
                        return messages
                    messages.append(message)
                at += length + 3 & ~3


ATTRIBUTE = struct.Struct("HH")
BIG_WORD = struct.Struct("!I")


def parse(data: bytes, at: int, end: int) -> Message:
    """The message whose attributes lie in data[at:end]."""
    prefix, mark, packet = "", 0, b""
    while at + 4 <= end:
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if kind == A_PREFIX:
            prefix = data[at + 4 : at + length - 1].decode()
        elif kind == A_MARK:
            (mark,) = BIG_WORD.unpack_from(data, at + 4)
        elif kind == A_PAYLOAD:
            packet = data[at + 4 : at + length]
        at += length + 3 & ~3
    return Message(prefix, mark, packet)
