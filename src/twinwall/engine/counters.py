"""What the engine counted, read off the desk: outcomes, labels, rules, flows, talkers.

The numbers are those of all packets decided so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinwall.conntrack.entry import ST_SEEN_REPLY
from twinwall.engine import desk as d
from twinwall.engine.batch import RuleBook, address_text

Counts = NDArray[np.uint64]
TALKER_BUCKETS = 1 << 12


def empty_desk(stateless_rules: int, stateful_rules: int) -> Counts:
    """A desk with room to count that many rules, and nothing counted yet."""
    stateful_hits = d.HITS + 2 * stateless_rules
    talkers = stateful_hits + 2 * stateful_rules
    desk: Counts = np.zeros(talkers + TALKER_BUCKETS * d.TALKER_WAYS * d.TALKER_WORDS, np.uint64)
    desk[d.D_STATELESS_HITS] = d.HITS
    desk[d.D_STATEFUL_HITS] = stateful_hits
    desk[d.D_TALKERS] = talkers
    desk[d.D_TALKER_MASK] = TALKER_BUCKETS - 1
    desk[d.D_EARLIEST] = d.NEVER
    return desk


@dataclass(frozen=True, slots=True)
class Talker:
    """A source of dropped packets; never too low, and exact until a bucket of the talkers' table overflows."""

    address: str
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FlowKind:
    """What ended flows are counted by: the IP protocol, the tracker's state at the end, and whether a reply was seen."""

    proto: int
    state: int
    replied: bool


class Counters:
    """Packets and bytes; the last axis of `outcomes`, `stateless` and `stateful` is (packets, bytes).

    `outcomes[stage, reason, verdict]`; `ct_states[label]` likewise; `stateless` and `stateful` by index of the compiled rule: a
    hit is a packet that the rule decided (also through its flow) or, not deciding it, alerted on.
    """

    def __init__(self, desk: Counts, rules: RuleBook) -> None:
        self._desk = desk
        self._counts = desk[d.COUNTS : d.COUNTS + d.COUNT_WORDS].reshape(d.COUNT_SHAPE)
        self.stateless = self._hits(d.D_STATELESS_HITS, len(rules.stateless))
        self.stateful = self._hits(d.D_STATEFUL_HITS, len(rules.stateful))
        self.flows: dict[FlowKind, int] = {}

    @property
    def outcomes(self) -> Counts:
        """By stage, reason and verdict."""
        return np.asarray(self._counts.sum(axis=3))

    @property
    def ct_states(self) -> Counts:
        """By the tracker's label."""
        return np.asarray(self._counts.sum(axis=(0, 1, 2)))

    def _hits(self, section: int, rules: int) -> Counts:
        start = int(self._desk[section])
        return self._desk[start : start + 2 * rules].reshape(-1, 2)

    def add_ended(self, flows: NDArray[np.void], chosen: NDArray[np.bool_] | slice = slice(None)) -> None:
        """Count flows that ended: the `chosen` rows of an ENTRY array, of which only three fields are read."""
        replied = (flows["status"][chosen] & ST_SEEN_REPLY != 0).astype(np.intp)
        keys = flows["proto"][chosen].astype(np.intp) << 9 | flows["state"][chosen].astype(np.intp) << 1 | replied
        counts = np.bincount(keys)
        for key in np.flatnonzero(counts).tolist():
            kind = FlowKind(key >> 9, key >> 1 & 0xFF, bool(key & 1))
            self.flows[kind] = self.flows.get(kind, 0) + int(counts[key])

    def dropped_talkers(self, most: int) -> tuple[Talker, ...]:
        """The sources of the most dropped packets, ties in the order of their addresses."""
        rows = self._desk[int(self._desk[d.D_TALKERS]) :].reshape(-1, d.TALKER_WORDS)
        order = np.lexsort((rows[:, d.T_LOW], rows[:, d.T_HIGH], rows[:, d.T_VERSION], -rows[:, d.T_PACKETS].astype(np.int64)))
        top = rows[order[:most]].tolist()
        return tuple(
            Talker(address_text(row[d.T_VERSION], row[d.T_HIGH], row[d.T_LOW]), row[d.T_PACKETS], row[d.T_BYTES])
            for row in top
            if row[d.T_PACKETS]
        )

    @property
    def first(self) -> int | None:
        """The earliest timestamp, nanoseconds since 1970; None before the first packet."""
        earliest = int(self._desk[d.D_EARLIEST])
        return None if earliest == d.NEVER else earliest

    @property
    def last(self) -> int | None:
        """The latest timestamp; None before the first packet."""
        return None if self.first is None else int(self._desk[d.D_CLOCK])

    @property
    def backwards(self) -> int:
        """Packets that are older than one before them."""
        return int(self._desk[d.D_BACKWARDS])
