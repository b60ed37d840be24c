"""Rows of the engine's arrays as plain tuples: records are built one by one, and NumPy scalars are slow to read one by one.

The fields bear the names of `DECISION`, `RECORD`, `ALERT` and `ENTRY`, whose comments say what they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinwall.engine.batch import DecisionBatch


class PacketRow(NamedTuple):
    """One packet of a batch: its row there, then what was decided, then what was decoded."""

    row: int
    packet: int
    timestamp: int
    flow_id: int
    rule: int
    verdict: int
    stage: int
    reason: int
    direction: int
    src_hi: int
    src_lo: int
    dst_hi: int
    dst_lo: int
    sport: int
    dport: int
    proto: int
    version: int
    tcp_flags: int
    tcp_reserved: int
    l3: int
    l4: int
    payload_length: int
    seq: int
    ack: int
    window: int
    ttl: int
    tos: int
    icmp_type: int
    icmp_code: int
    ip_id: int
    ip_length: int
    marks: int
    vlan_count: int
    link: int
    vlan: int
    icmp_id: int
    icmp_seq: int


class AlertRow(NamedTuple):
    """One alert of a batch."""

    packet: int
    flow_id: int
    rule: int
    blocked: int
    direction: int
    o_packets: int
    o_bytes: int
    r_packets: int
    r_bytes: int
    start: int


class FlowRow(NamedTuple):
    """One ended connection."""

    src_hi: int
    src_lo: int
    dst_hi: int
    dst_lo: int
    sport: int
    dport: int
    proto: int
    version: int
    state: int
    deadline: int
    status: int
    o_packets: int
    o_bytes: int
    r_packets: int
    r_bytes: int
    start: int
    last_seen: int
    flow_id: int
    verdict: int
    alerts: int
    o_flags: int
    r_flags: int
    o_min_ttl: int
    o_max_ttl: int
    r_min_ttl: int
    r_max_ttl: int
    end_reason: int


_DECIDED = PacketRow._fields[1 : PacketRow._fields.index("src_hi")]
_DECODED = PacketRow._fields[PacketRow._fields.index("src_hi") :]


def packet_rows(batch: DecisionBatch, rows: NDArray[np.int64]) -> list[PacketRow]:
    """Those rows of the batch, in that order."""
    return list(
        map(PacketRow, rows.tolist(), *_columns(batch.decisions[rows], _DECIDED), *_columns(batch.records[rows], _DECODED))
    )


def alert_rows(batch: DecisionBatch) -> list[tuple[AlertRow, PacketRow]]:
    """The batch's alerts, each with its packet."""
    alerts = list(map(AlertRow, *_columns(batch.alerts, AlertRow._fields)))
    packets = packet_rows(batch, np.searchsorted(batch.decisions["packet"], batch.alerts["packet"]))
    return list(zip(alerts, packets, strict=True))


def flow_rows(batch: DecisionBatch) -> list[FlowRow]:
    """The connections that ended with the batch."""
    return list(map(FlowRow, *_columns(batch.flows, FlowRow._fields)))


def _columns(array: NDArray[np.void], names: Sequence[str]) -> list[list[int]]:
    """One list a field: NumPy makes lists of numbers much faster than of rows."""
    return [array[name].tolist() for name in names]
