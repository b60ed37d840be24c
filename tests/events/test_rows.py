from __future__ import annotations

import numpy as np

from tests.events.batches import batch, decision, tcp_record
from twinwall.conntrack.entry import ENTRY
from twinwall.events.rows import AlertRow, FlowRow, PacketRow, alert_rows, flow_rows, packet_rows
from twinwall.path.layout import ALERT, DECISION, RECORD


def test_every_field_is_one_of_the_engine_s():
    assert set(PacketRow._fields[1:]) <= set(DECISION.names) | set(RECORD.names)
    assert set(AlertRow._fields) <= set(ALERT.names)
    assert set(FlowRow._fields) <= set(ENTRY.names)


def test_values_arrive_under_their_names():
    made = batch(
        [decision(4), decision(8, flow_id=2**63, direction=1)],
        [tcp_record(), tcp_record(ttl=7, icmp_seq=9, seq=5)],
        alerts=[{"packet": 8, "start": 3, "rule": 1}],
        flows=[{"flow_id": 6, "end_reason": 2, "src_hi": 1}],
    )
    (row,) = packet_rows(made, np.array([1]))
    assert (row.row, row.packet, row.flow_id, row.direction, row.ttl, row.icmp_seq, row.seq) == (1, 8, 2**63, 1, 7, 9, 5)
    assert alert_rows(made) == [(AlertRow(8, 0, 1, 0, 0, 0, 0, 0, 0, 3), row)]
    (flow,) = flow_rows(made)
    assert (flow.flow_id, flow.end_reason, flow.src_hi) == (6, 2, 1)
