"""Netlink: attributes, messages, and a socket that asks, dumps, sends transactions and listens.

A message is a header of 16 bytes (`struct nlmsghdr`), the family's own header, and attributes: length, kind, value, padded to 4
bytes, nested at will.  Headers and attribute lengths are in the machine's byte order; whether a value is, its family says
(rtnetlink: yes; nfnetlink: big-endian).

Written against <linux/netlink.h> and Documentation/userspace-api/netlink/intro.rst.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from twinwall.live.error import EnforcementError

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
REQUEST, MULTI, ACK, DUMP_INTERRUPTED, CAPPED, ACK_ATTRIBUTES = 0x1, 0x2, 0x4, 0x10, 0x100, 0x200
DUMP, REPLACE, EXCLUSIVE, CREATE, APPEND = 0x300, 0x100, 0x200, 0x400, 0x800
NOOP, ERROR, DONE = 1, 2, 3
SOL_NETLINK, SO_RCVBUFFORCE = 270, 33
ADD_MEMBERSHIP, CAP_ACK, EXT_ACK = 1, 10, 11
NESTED, KIND_MASK = 0x8000, 0x3FFF
ERROR_TEXT, ERROR_OFFSET = 1, 2

HEADER = struct.Struct("=IHHII")
ATTRIBUTE = struct.Struct("=HH")
_HEAD = ATTRIBUTE.unpack_from  # bound once: a dump of a full connection table asks millions of times
RECEIVE_BYTES = 1 << 18  # longer than any datagram the kernel sends: 64 KiB of packet, or a dump's page
DUMP_ATTEMPTS = 8  # a dump that something changed under is read again

REMEDIES = {
    errno.EPERM: "run it as root, or with CAP_NET_ADMIN in this network namespace",
    errno.EOPNOTSUPP: "this kernel was built without it; `twinwall status --kernel` lists what is missing",
    errno.EPROTONOSUPPORT: "this kernel was built without it; `twinwall status --kernel` lists what is missing",
    errno.EBUSY: "another program holds it; end that program first",
    errno.EEXIST: "another program made it already",
    errno.ENOENT: "it does not exist, or no longer",
    errno.ENODEV: "the interface does not exist, or no longer",
    errno.ENOMEM: "the kernel has no memory for it",
}
REMEDY = "see the kernel's log (`dmesg`)"


class NetlinkError(EnforcementError):
    """The kernel answered with an error; `number` is its errno, `offset` where in the request the mistake is (0: unsaid)."""

    def __init__(self, action: str, number: int, text: str = "", offset: int = 0, remedy: str = "") -> None:
        cause = f"{os.strerror(number)}: {text}" if text else os.strerror(number)
        super().__init__(action, cause, remedy or REMEDIES.get(number, REMEDY))
        self.number = number
        self.offset = offset


class Message(NamedTuple):
    """One message; `payload` is what follows the 16 bytes."""

    kind: int
    flags: int
    sequence: int
    payload: bytes


class Received(NamedTuple):
    """What came in, and whether the kernel threw messages away before because nobody read in time."""

    messages: list[Message]
    lost: bool


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return ATTRIBUTE.pack(len(value) + 4, kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """An attribute that holds a string, with its zero byte."""
    return attribute(kind, value.encode() + b"\0")


def attribute_list(data: bytes, start: int = 0) -> list[tuple[int, bytes]]:
    """Kind and value of each attribute from `start` on; a broken length ends the list."""
    found: list[tuple[int, bytes]] = []
    end = len(data)
    while start + 4 <= end:
        length, kind = _HEAD(data, start)
        stop = start + length
        if length < 4 or stop > end:
            break
        found.append((kind & KIND_MASK, data[start + 4 : stop]))
        start = stop + 3 & ~3
    return found


def attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    """The attributes from `start` on, by kind; of several of one kind, the last."""
    return dict(attribute_list(data, start))


def encode(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    """A message's bytes, padded."""
    return HEADER.pack(len(payload) + 16, kind, flags, sequence, 0) + payload + bytes(-len(payload) % 4)


def decode(data: bytes | memoryview) -> Iterator[Message]:
    """The messages of one datagram; what is cut off is left out."""
    view = memoryview(data)
    start = 0
    while start + 16 <= len(view):
        length, kind, flags, sequence, _ = HEADER.unpack_from(view, start)
        if length < 16 or start + length > len(view):
            return
        yield Message(kind, flags, sequence, bytes(view[start + 16 : start + length]))
        start += length + 3 & ~3


class NetlinkSocket:
    """A socket to one netlink protocol, in the network namespace in which it is made.  A context manager.

    `action`, wherever asked for, says what is being tried; it begins the error's sentence.
    """

    def __init__(self, protocol: int, receive_buffer: int = 0) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        except OSError as error:
            raise NetlinkError("open a netlink socket", error.errno or 0) from error
        self._socket.bind((0, 0))
        for option in (CAP_ACK, EXT_ACK):
            self._socket.setsockopt(SOL_NETLINK, option, 1)
        if receive_buffer:
            self.set_receive_buffer(receive_buffer)
        self._sequence = 0
        self._buffer = bytearray(RECEIVE_BYTES)

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def set_receive_buffer(self, size: int) -> None:
        """How many bytes may wait to be read; beyond the system's bound with CAP_NET_ADMIN, else up to it."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def subscribe(self, *groups: int) -> None:
        """Listen to multicast groups."""
        for group in groups:
            try:
                self._socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
            except OSError as error:
                raise NetlinkError(f"listen to netlink group {group}", error.errno or 0) from error

    def request(self, action: str, kind: int, payload: bytes, flags: int = 0) -> list[Message]:
        """Ask for one thing, and return what the kernel answered before it acknowledged.  Raises `NetlinkError`."""
        sequence = self._send(action, [(kind, flags | REQUEST | ACK, payload)])
        return [message for message in self._answers(action, {sequence}) if message.kind != ERROR]

    def transact(self, action: str, messages: Iterable[tuple[int, int, bytes]]) -> None:
        """Send several messages (kind, flags, payload) as one datagram; each is acknowledged.  Raises for the first refusal.

        An nfnetlink batch's BEGIN and END go in with the flag `ACK` missing: they are not acknowledged.
        """
        first = self._sequence + 1
        listed = list(messages)
        self._send(action, listed)
        waiting = {first + place for place, (_, flags, _) in enumerate(listed) if flags & ACK}
        if waiting:
            for _ in self._answers(action, waiting):
                pass

    def send(self, action: str, kind: int, payload: bytes) -> None:
        """Send without asking for an acknowledgement; an error would arrive among what is received."""
        self._send(action, [(kind, REQUEST, payload)])

    def dump(self, action: str, kind: int, payload: bytes) -> list[Message]:
        """Everything of a kind, consistent: read again if it changed underneath.  Raises `NetlinkError`."""
        for _ in range(DUMP_ATTEMPTS):
            sequence = self._send(action, [(kind, REQUEST | DUMP, payload)])
            messages = list(self._answers(action, {sequence}))
            if not any(message.flags & DUMP_INTERRUPTED for message in messages):
                return [message for message in messages if message.kind != DONE]
        raise NetlinkError(action, errno.EINTR, "it changed each time while it was read")

    def receive(self, timeout: float | None = 0.0, limit: int = 256) -> Received:
        """Wait for messages (None: for ever), then take what is there, up to `limit` datagrams."""
        messages: list[Message] = []
        lost = False
        if not select.select([self._socket], [], [], timeout)[0]:
            return Received(messages, lost)
        for _ in range(limit):
            try:
                messages += decode(self._datagram(socket.MSG_DONTWAIT))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise NetlinkError("receive from netlink", error.errno or 0) from error
                lost = True
        return Received(messages, lost)

    def _datagram(self, flags: int = 0) -> memoryview:
        while True:
            size, _, _, sender = self._socket.recvmsg_into([self._buffer], 0, flags)
            if sender[0] == 0:  # nobody but the kernel is listened to
                return memoryview(self._buffer)[:size]

    def _send(self, action: str, messages: list[tuple[int, int, bytes]]) -> int:
        data = bytearray()
        for kind, flags, payload in messages:
            self._sequence = self._sequence + 1 & 0xFFFFFFFF
            data += encode(kind, flags, self._sequence, payload)
        try:
            self._socket.sendto(data, (0, 0))
        except OSError as error:
            raise NetlinkError(action, error.errno or 0) from error
        return self._sequence

    def _answers(self, action: str, waiting: set[int]) -> Iterator[Message]:
        """Messages until every number in `waiting` is acknowledged; the first refusal is raised once all have come."""
        oldest = min(waiting) - 1  # a batch that fails as a whole is refused by its BEGIN's number
        refused: NetlinkError | None = None
        while waiting:
            for message in self._blocking(action):
                if message.sequence not in waiting and message.sequence != oldest:
                    continue
                if message.kind in (ERROR, DONE):
                    failure = refusal(action, message)
                    refused = refused or failure
                    waiting.discard(message.sequence)
                    if failure is not None and message.sequence == oldest:
                        waiting.clear()
                if message.kind not in (ERROR, NOOP):
                    yield message
        if refused is not None:
            raise refused

    def _blocking(self, action: str) -> Iterator[Message]:
        try:
            return decode(self._datagram())
        except OSError as error:
            raise NetlinkError(action, error.errno or 0) from error

    def close(self) -> None:
        """Let the socket go, and with it every subscription and binding."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class SocketHolder:
    """What works through a netlink socket of its own, `_socket`: a context manager that lets it go in the end."""

    _socket: NetlinkSocket

    def close(self) -> None:
        """Let the socket go, and with it every subscription and binding."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def refusal(action: str, message: Message) -> NetlinkError | None:
    """What an ERROR or DONE message says; None if it says that all went well."""
    number = -int.from_bytes(message.payload[:4], sys.byteorder, signed=True) if len(message.payload) >= 4 else 0
    if number <= 0:
        return None
    start = 4 if message.kind == DONE else 20
    if message.kind == ERROR and not message.flags & CAPPED:
        start += max(int.from_bytes(message.payload[4:8], sys.byteorder) - 16, 0) + 3 & ~3
    said = attributes(message.payload, start) if message.flags & ACK_ATTRIBUTES else {}
    words = said.get(ERROR_TEXT, b"").rstrip(b"\0").decode(errors="replace")
    return NetlinkError(action, number, words, int.from_bytes(said.get(ERROR_OFFSET, b"\0"), sys.byteorder))
