"""The kernel's connection table, through ctnetlink: list, delete, mark, count, and hear of changes.

Every function works on the network namespace in which its `ConnectionTable` was opened.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from twinwall.live.connection import TUPLE_ZONE, Attribute, ConntrackEntry, FiveTuple, decode_entry, family
from twinwall.live.netlink import (
    CREATE,
    EXCLUSIVE,
    NETLINK_NETFILTER,
    Message,
    NetlinkError,
    NetlinkSocket,
    SocketHolder,
    attribute,
    attributes,
    nested,
)

SUBSYSTEM = 1 << 8
NEW, GET, DELETE, GET_STATISTICS_BY_CPU, GET_STATISTICS = (SUBSYSTEM | number for number in (0, 1, 2, 4, 5))
EVENT_GROUPS = (1, 2, 3)  # NFNLGRP_CONNTRACK_NEW, _UPDATE, _DESTROY
ANY_FAMILY = bytes(4)
EVENT_BUFFER = 16 << 20  # bytes of events that may wait: some 50,000 connections
ALL_BITS = 0xFFFFFFFF

# CTA_STATS_*: counters of the tracker since boot, by CPU.
STATISTICS = {
    2: "found", 4: "invalid", 8: "insert", 9: "insert_failed", 10: "drop", 11: "early_drop", 12: "error",
    13: "search_restart", 14: "clash_resolve", 15: "chain_toolong",
}  # fmt: skip


class EventKind(StrEnum):
    """What happened to a connection."""

    NEW = "new"
    UPDATE = "update"
    DESTROY = "destroy"


class ConntrackEvent(NamedTuple):
    """A connection appeared, changed or ended."""

    kind: EventKind
    entry: ConntrackEntry


class Events(NamedTuple):
    """What happened, in order, and whether the kernel had to throw events away before because nobody read in time."""

    events: list[ConntrackEvent]
    lost: bool


@dataclass(frozen=True, slots=True)
class TableFill:
    """How full the table is, and what the tracker counted, summed over CPUs (`drop`: packets refused by a full table)."""

    entries: int
    limit: int
    statistics: dict[str, int]


class ConnectionTable(SocketHolder):
    """The connections of this network namespace.  A context manager."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket(NETLINK_NETFILTER)

    def entries(self, mark: int = 0, mask: int = 0) -> list[ConntrackEntry]:
        """All connections, or those whose mark, under `mask`, is `mark`; IPv4 and IPv6.  Raises `NetlinkError`."""
        chosen = attribute(Attribute.MARK, mark.to_bytes(4)) + attribute(Attribute.MARK_MASK, mask.to_bytes(4)) if mask else b""
        messages = self._socket.dump("list connections", GET, ANY_FAMILY + chosen)
        return [entry for message in messages if (entry := decode_entry(message.payload)) is not None]

    def matching(self, wanted: Callable[[ConntrackEntry], bool]) -> list[ConntrackEntry]:
        """The connections that `wanted` accepts."""
        return [entry for entry in self.entries() if wanted(entry)]

    def find(self, ends: FiveTuple) -> ConntrackEntry | None:
        """The connection to which a packet with these ends belongs, whichever way it goes.  Raises `NetlinkError`."""
        try:
            answers = self._socket.request(
                "look for a connection", GET, family(ends) + nested(Attribute.ORIGINAL, ends.encode())
            )
        except NetlinkError as error:
            if error.number == errno.ENOENT:
                return None
            raise
        return decode_entry(answers[0].payload)

    def delete(self, entry: ConntrackEntry) -> bool:
        """End this very connection; False if it had ended by itself.  Raises `NetlinkError`."""
        ident = attribute(Attribute.ID, entry.ident.to_bytes(4)) if entry.ident else b""
        return self._about(entry, "delete a connection", DELETE, ident)

    def delete_all(self, entries: Iterable[ConntrackEntry]) -> int:
        """End these connections; how many were still there.  Raises `NetlinkError`."""
        return sum(self.delete(entry) for entry in entries)

    def set_mark(self, entry: ConntrackEntry, mark: int, mask: int = ALL_BITS) -> bool:
        """Write the bits of `mask` in the connection's mark; False if the connection has ended.  Raises `NetlinkError`."""
        bits = attribute(Attribute.MARK, (mark & mask).to_bytes(4)) + attribute(Attribute.MARK_MASK, mask.to_bytes(4))
        return self._about(entry, "mark a connection", NEW, bits)

    def clear_labels(self) -> int:
        """Take every label from every connection; how many had some.  Raises `NetlinkError`."""
        labelled = 0
        for message in self._socket.dump("list connections", GET, ANY_FAMILY):
            labels = attributes(message.payload, len(ANY_FAMILY)).get(Attribute.LABELS, b"")
            entry = decode_entry(message.payload) if any(labels) else None
            if entry is not None:
                none = attribute(Attribute.LABELS, bytes(len(labels)))
                labelled += self._about(entry, "clear a connection's labels", NEW, none)
        return labelled

    def _about(self, entry: ConntrackEntry, action: str, kind: int, rest: bytes) -> bool:
        zone = attribute(Attribute.ZONE, entry.zone.to_bytes(2)) if entry.zone else b""
        own = attribute(TUPLE_ZONE, entry.original_zone.to_bytes(2)) if entry.original_zone else b""
        ends = nested(Attribute.ORIGINAL, entry.original.encode(), own)
        try:
            self._socket.request(f"{action} ({entry})", kind, family(entry.original) + ends + zone + rest)
        except NetlinkError as error:
            if error.number == errno.ENOENT:
                return False
            raise
        return True

    def fill(self) -> TableFill:
        """How full the table is.  Raises `NetlinkError`."""
        action = "read the connection table's statistics"
        (answer,) = self._socket.request(action, GET_STATISTICS, ANY_FAMILY)
        found = attributes(answer.payload, 4)
        sums = dict.fromkeys(STATISTICS.values(), 0)
        for message in self._socket.dump(action, GET_STATISTICS_BY_CPU, ANY_FAMILY):
            for kind, value in attributes(message.payload, 4).items():
                if kind in STATISTICS:
                    sums[STATISTICS[kind]] += int.from_bytes(value)
        return TableFill(int.from_bytes(found.get(1, b"")), int.from_bytes(found.get(2, b"")), sums)


class ConntrackEvents(SocketHolder):
    """Hears of connections that appear, change or end while it is open.  A context manager.

    With `net.netfilter.nf_conntrack_events` at 2 (Linux's default) the kernel reports only connections that began while
    somebody listened.
    """

    def __init__(self, groups: Iterable[int] = EVENT_GROUPS, buffer: int = EVENT_BUFFER) -> None:
        self._socket = NetlinkSocket(NETLINK_NETFILTER, receive_buffer=buffer)
        self._socket.subscribe(*groups)

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def receive(self, timeout: float | None = 0.0) -> Events:
        """Wait for events (None: for ever) and return those that came.  Raises `NetlinkError`."""
        messages, lost = self._socket.receive(timeout)
        return Events([event for message in messages if (event := decode_event(message)) is not None], lost)


def decode_event(message: Message) -> ConntrackEvent | None:
    """The event that a multicast message tells; None for messages about something else."""
    if message.kind not in (NEW, DELETE):
        return None
    entry = decode_entry(message.payload)
    if entry is None:
        return None
    if message.kind == DELETE:
        return ConntrackEvent(EventKind.DESTROY, entry)
    fresh = message.flags & (CREATE | EXCLUSIVE)
    return ConntrackEvent(EventKind.NEW if fresh else EventKind.UPDATE, entry)
