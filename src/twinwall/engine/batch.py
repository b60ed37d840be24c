"""What a replay yields: one batch of decisions, with everything that explains them.

Row `i` of `decisions`, `records` and `frames` is the same packet; rows stand in packet order.  The bytes of the rows may lie
in several capture buffers, because fragments wait for each other across batches: `buffers` says from which row on each holds.
`column` and `to_arrow` give the public columns, the same ones that `--decisions` writes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twinwall.path.layout import MARK_PORTS, NO_RULE
from twinwall.path.reason import CtState, Direction, Reason, StageName, Verdict

if TYPE_CHECKING:
    import pyarrow as pa

    from twinwall.policy.model import Rule

COLUMNS = (
    "packet", "ts", "verdict", "stage", "reason", "sid", "ct_state", "established", "direction",
    "flow_id", "src", "sport", "dst", "dport", "proto", "length",
)  # fmt: skip

NO_PORT = -1  # in the columns `sport` and `dport`: the packet has no ports
NO_SID = 0  # in the column `sid`: no rule

PROTOCOL_WORDS = {
    1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 51: "ah", 58: "icmpv6", 132: "sctp", 136: "udplite",
}  # fmt: skip


def _words(members: Iterable[tuple[int, str]]) -> NDArray[np.object_]:
    """A table from every byte value to its word; values without a word give the empty string."""
    table = np.full(256, "", dtype=object)
    for number, word in members:
        table[number] = word
    return table


def _lower(kind: type[IntEnum]) -> NDArray[np.object_]:
    return _words((member.value, member.name.lower()) for member in kind if member.name != "NONE")


# Columns that are words, by the field of DECISION they stand for.
WORDS: dict[str, NDArray[np.object_]] = {
    "verdict": _lower(Verdict),
    "stage": _lower(StageName),
    "reason": _lower(Reason),
    "ct_state": _words((state.value, state.name) for state in CtState if state is not CtState.NONE),
    "established": _words(((0, "false"), (1, "true"))),
    "direction": _lower(Direction),
}
PROTOCOLS = _words((number, PROTOCOL_WORDS.get(number, str(number))) for number in range(256))


@lru_cache(maxsize=1 << 16)
def address_text(version: int, high: int, low: int) -> str:
    """An address of a record in words (RFC 5952 for IPv6); empty where the packet has none."""
    if version == 4:
        return f"{low >> 24}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    return str(IPv6Address(high << 64 | low)) if version == 6 else ""


@dataclass(frozen=True, eq=False)
class RuleBook:
    """The compiled rules of both stages; `DECISION.rule` and `ALERT.rule` are indices into them."""

    stateless: Sequence[Rule] = ()
    stateful: Sequence[Rule] = ()

    @cached_property
    def sids(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The rules' numbers, by stage."""
        return _sids(self.stateless), _sids(self.stateful)

    def rule(self, stage: int, index: int) -> Rule | None:
        """The rule at `index` of a stage's list; None for `NO_RULE`."""
        if index == NO_RULE:
            return None
        return (self.stateful if stage == StageName.STATEFUL else self.stateless)[index]


def _sids(rules: Sequence[Rule]) -> NDArray[np.uint64]:
    return np.fromiter((rule.sid for rule in rules), dtype=np.uint64, count=len(rules))


@dataclass(frozen=True, eq=False)
class DecisionBatch:
    """The outcome of some packets, in packet order.

    `decisions` (DECISION), `records` (RECORD) and `frames` (FRAME) have one row a packet.  `buffers` lists, ascending, the
    first row and the memory that the frames from that row on point into.  `alerts` (ALERT) stand in packet order and name
    packets of this batch.  `flows` (ENTRY) are connections that ended since the batch before.
    """

    decisions: NDArray[np.void]
    records: NDArray[np.void]
    frames: NDArray[np.void]
    buffers: tuple[tuple[int, NDArray[np.uint8]], ...]
    alerts: NDArray[np.void]
    flows: NDArray[np.void]
    rules: RuleBook

    def __len__(self) -> int:
        return len(self.decisions)

    def buffer_of(self, row: int) -> NDArray[np.uint8]:
        """The capture memory that row's frame lies in."""
        return self.buffers[bisect_right(self.buffers, row, key=lambda part: part[0]) - 1][1]

    def frame_bytes(self, row: int) -> bytes:
        """The captured bytes of one packet, link header included."""
        start = int(self.frames["offset"][row])
        return self.buffer_of(row)[start : start + int(self.frames["captured_length"][row])].tobytes()

    def row_of(self, packet: int) -> int:
        """The row of a packet number that this batch holds."""
        return int(np.searchsorted(self.decisions["packet"], packet))

    def column(self, name: str) -> NDArray[Any]:
        """One public column, one value a packet.

        Words are `str` (empty: does not apply), `ts` is `datetime64[ns]`, a missing port is `NO_PORT`, a missing rule
        `NO_SID`, a packet without a connection has flow_id 0.  Raises KeyError for a name that is not in `COLUMNS`.
        """
        if name in WORDS:
            return np.asarray(WORDS[name][self.decisions[name]])
        if name == "ts":
            return self.decisions["timestamp"].astype("datetime64[ns]")
        if name in ("packet", "flow_id", "length"):
            return np.ascontiguousarray(self.decisions[name])
        if name == "sid":
            return self._sid()
        if name in ("src", "dst"):
            return self._addresses(name)
        if name in ("sport", "dport"):
            return np.where(self.records["marks"] & MARK_PORTS != 0, self.records[name].astype(np.int32), np.int32(NO_PORT))
        if name == "proto":
            return np.where(self._is_ip, PROTOCOLS[self.records["proto"]], "")
        raise KeyError(name)

    def to_arrow(self) -> pa.RecordBatch:
        """The public columns as an Arrow record batch; what does not apply is null.  Needs the extra `arrow`.

        Raises ModuleNotFoundError without PyArrow.
        """
        import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to import

        return pa.RecordBatch.from_arrays([self._arrow(name) for name in COLUMNS], schema=arrow_schema())

    @property
    def _is_ip(self) -> NDArray[np.bool_]:
        return np.asarray(self.records["version"] != 0)  # a header too broken to read has none

    def _sid(self) -> NDArray[np.int64]:
        rule, stage = self.decisions["rule"], self.decisions["stage"]
        sid = np.full(len(self), NO_SID, dtype=np.int64)
        for number, sids in enumerate(self.rules.sids):
            chosen = (rule != NO_RULE) & (stage == number)
            sid[chosen] = sids[rule[chosen]]
        return sid

    def _addresses(self, name: str) -> NDArray[np.object_]:
        versions = np.where(self._is_ip, self.records["version"], 0)
        highs, lows = self.records[f"{name}_hi"], self.records[f"{name}_lo"]
        texts = np.empty(len(self), dtype=object)
        texts[:] = list(map(address_text, versions.tolist(), highs.tolist(), lows.tolist()))
        return texts

    def _arrow(self, name: str) -> pa.Array:
        import pyarrow as pa  # noqa: PLC0415 - see to_arrow

        kind = arrow_schema().field(name).type
        values = self.column(name)
        if name == "established":
            codes = self.decisions[name]
            return pa.array(codes == 1, mask=codes > 1)
        if name == "ts":
            return pa.array(values, type=pa.timestamp("ns")).cast(kind)
        if values.dtype == object:
            return pa.array(values, mask=values == "", type=pa.string()).cast(kind)
        missing = {"sid": NO_SID, "flow_id": 0, "sport": NO_PORT, "dport": NO_PORT}
        return pa.array(values, mask=values == missing[name] if name in missing else None).cast(kind, safe=False)


@lru_cache(maxsize=1)
def arrow_schema() -> pa.Schema:
    """The Arrow types of `COLUMNS`."""
    import pyarrow as pa  # noqa: PLC0415 - see DecisionBatch.to_arrow

    word = pa.dictionary(pa.int32(), pa.string())
    kinds = {
        "packet": pa.uint64(), "ts": pa.timestamp("ns", tz="UTC"), "sid": pa.uint32(), "established": pa.bool_(),
        "flow_id": pa.uint64(), "src": pa.string(), "sport": pa.uint16(), "dst": pa.string(), "dport": pa.uint16(),
        "length": pa.uint32(),
    }  # fmt: skip
    return pa.schema([(name, kinds.get(name, word)) for name in COLUMNS])
