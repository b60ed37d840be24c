"""The connection table as Python sees it: who owns the memory, how it is laid out, how it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twinwall.conntrack import header as h
from twinwall.conntrack.entry import ENTRY, ENTRY_BYTES
from twinwall.conntrack.protocols import sctp
from twinwall.conntrack.protocols.sctp import SctpState
from twinwall.conntrack.protocols.tcp import TcpState, compile_kinds, compile_rows
from twinwall.path.primitives import Pointer
from twinwall.policy.model import Flows, Timeout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twinwall.policy.model import Tracking

TIMEOUT_WORDS = {
    **{getattr(Timeout, f"TCP_{state.name}"): h.H_TCP_TIMEOUT + state for state in tuple(TcpState)[1:10]},
    **{getattr(Timeout, f"SCTP_{state.name}"): h.H_SCTP_TIMEOUT + state for state in tuple(SctpState)[1:9]},
    Timeout.TCP_MAX_RETRANS: h.H_TCP_RETRANS,
    Timeout.TCP_UNACKNOWLEDGED: h.H_TCP_UNACKNOWLEDGED,
    Timeout.UDP: h.H_UDP,
    Timeout.UDP_STREAM: h.H_UDP_STREAM,
    Timeout.UDPLITE: h.H_UDPLITE,
    Timeout.UDPLITE_STREAM: h.H_UDPLITE_STREAM,
    Timeout.ICMP: h.H_ICMP,
    Timeout.ICMPV6: h.H_ICMP6,
    Timeout.GRE: h.H_GRE,
    Timeout.GRE_STREAM: h.H_GRE_STREAM,
    Timeout.GENERIC: h.H_GENERIC,
}
NANOSECONDS = 1_000_000_000
FLOW_SEED = 0x5D1E0C0FFEE5  # flow identifiers do not depend on the secret: two runs give the same ones


class ConnectionTable:
    """The memory of one connection table, in one array so that one address reaches everything.

    `tracking` are the settings (whose `flows` is what `Policy.flows` says; None is `Flows.RULES`), `flowbit_words` the 64-bit
    words of rule bits behind each entry, `key` the hash's secret, `ended_capacity` how many ended flows fit between two calls
    of `drain_ended`.  Pages are touched when entries are.
    """

    def __init__(self, tracking: Tracking, flowbit_words: int, key: tuple[int, int], ended_capacity: int) -> None:
        capacity = tracking.connections
        buckets = 1 << max(4, (2 * capacity - 1).bit_length())
        entry_words = ENTRY_BYTES // 8 + flowbit_words
        first_entry = h.HEADER_WORDS + buckets // 2
        first_ended = first_entry + capacity * entry_words
        self.words: NDArray[np.uint64] = np.zeros(first_ended + ended_capacity * ENTRY_BYTES // 8, dtype=np.uint64)
        self.entry_bytes = entry_words * 8
        settings = {
            h.H_BUCKET_MASK: buckets - 1,
            h.H_CAPACITY: capacity,
            h.H_BUCKETS: h.HEADER_WORDS * 8,
            h.H_ENTRIES: first_entry * 8,
            h.H_ENTRY_SIZE: self.entry_bytes,
            h.H_ENDED: first_ended * 8,
            h.H_ENDED_CAPACITY: ended_capacity,
            h.H_KEY0: key[0],
            h.H_KEY1: key[1],
            h.H_FLOW_SEED: FLOW_SEED,
            h.H_LOOSE: int(tracking.tcp_loose),
            h.H_LIBERAL: int(tracking.tcp_be_liberal),
            h.H_IGNORE_INVALID_RST: int(tracking.tcp_ignore_invalid_rst),
            h.H_MAX_RETRANS: tracking.tcp_max_retrans,
            h.H_BIT_WORDS: flowbit_words,
            h.H_LINUX_FLOWS: int(tracking.flows is Flows.LINUX),
            **{word: round(tracking.seconds(name) * NANOSECONDS) for name, word in TIMEOUT_WORDS.items()},
            h.H_SCTP_TIMEOUT: round(tracking.seconds(Timeout.SCTP_CLOSED) * NANOSECONDS),  # an entry still in NONE
            **{h.H_SCTP_ROWS + at: word for at, word in enumerate(sctp.compile_rows())},
            **{h.H_TCP_KINDS + at: word for at, word in enumerate(compile_kinds())},
            **{h.H_TCP_ROWS + at: word for at, word in enumerate(compile_rows())},
        }
        for word, value in settings.items():
            self.words[word] = value

    @property
    def address(self) -> int:
        """Where the table lies, for compiled code; valid as long as this object lives."""
        return int(self.words.ctypes.data)

    def pointer(self) -> Pointer:
        """The table for interpreted code."""
        return Pointer(self.words.view(np.uint8).data)

    @property
    def count(self) -> int:
        """How many entries live, expired ones that nothing has met yet included."""
        return int(self.words[h.H_LIVE])

    @property
    def used(self) -> int:
        """How many places were ever used."""
        return int(self.words[h.H_UNUSED])

    def entries(self) -> NDArray[np.void]:
        """All places that were ever used, live or free, as an `ENTRY` array: index 0 is entry 1."""
        start = int(self.words[h.H_ENTRIES]) // 8
        used = int(self.words[h.H_UNUSED])
        rows = self.words[start : start + used * self.entry_bytes // 8].view(np.uint8).reshape(used, self.entry_bytes)
        entries: NDArray[np.void] = rows[:, :ENTRY_BYTES].view(ENTRY)[:, 0]
        return entries

    def live(self) -> NDArray[np.void]:
        """A copy of the live entries, in the order of their places."""
        entries = self.entries()
        living: NDArray[np.void] = entries[entries["flow_id"] != 0]
        return living

    def drain_ended(self) -> NDArray[np.void]:
        """A copy of the entries that ended since the last call, in the order in which they ended."""
        start = int(self.words[h.H_ENDED]) // 8
        count = int(self.words[h.H_ENDED_COUNT])
        self.words[h.H_ENDED_COUNT] = 0
        return self.words[start : start + count * ENTRY_BYTES // 8].view(ENTRY).copy()
