"""Batches made by hand: what an engine would yield, without an engine."""

from __future__ import annotations

import numpy as np

from twinwall.conntrack.entry import ENTRY
from twinwall.engine.batch import DecisionBatch, RuleBook
from twinwall.path.layout import ALERT, DECISION, FRAME, MARK_IP, MARK_PORTS, MARK_TRANSPORT, NO_RULE, RECORD
from twinwall.policy.diagnostic import Span
from twinwall.policy.model import Action, Rule
from twinwall.policy.sets import ANY_ADDRESS, ANY_PORT

START = 1_767_225_600_123_456_789  # 2026-01-01T00:00:00.123456789Z


def rule(sid: int, action: Action = Action.DROP, **more) -> Rule:
    fields = {
        "action": action,
        "protocols": None,
        "source": ANY_ADDRESS,
        "source_ports": ANY_PORT,
        "destination": ANY_ADDRESS,
        "destination_ports": ANY_PORT,
        "sid": sid,
        "span": Span("test.rules", 1, 1),
        "text": f"{action.value} ip any any -> any any (sid:{sid};)",
    }
    return Rule(**(fields | more))


def rows(dtype: np.dtype, values: list[dict]) -> np.ndarray:
    """A structured array from one dictionary a row; what a row does not name is 0."""
    array = np.zeros(len(values), dtype=dtype)
    for index, fields in enumerate(values):
        for name, value in fields.items():
            array[name][index] = value
    return array


def decision(packet: int = 1, **more) -> dict:
    return {"packet": packet, "timestamp": START, "rule": NO_RULE, "length": 60, "reason": 78, "stage": 1, **more}


def tcp_record(**more) -> dict:
    return {
        "src_lo": 0x0A000005, "dst_lo": 0xC6336407, "sport": 40000, "dport": 443, "proto": 6, "version": 4,
        "marks": MARK_IP | MARK_PORTS | MARK_TRANSPORT, "ip_length": 40, "ttl": 64, **more,
    }  # fmt: skip


def batch(decisions: list[dict], records: list[dict], *, rules: RuleBook | None = None, **more) -> DecisionBatch:
    frames = more.get("frames") or [{"timestamp": each["timestamp"]} for each in decisions]
    return DecisionBatch(
        decisions=rows(DECISION, decisions),
        records=rows(RECORD, records),
        frames=rows(FRAME, frames),
        buffers=more.get("buffers", ((0, np.zeros(0, dtype=np.uint8)),)),
        alerts=rows(ALERT, more.get("alerts", [])),
        flows=rows(ENTRY, more.get("flows", [])),
        rules=rules or RuleBook(),
    )
