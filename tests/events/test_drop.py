from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.events.batches import batch, decision, rule, tcp_record
from tests.events.conversation import conversation_batch
from twinwall.engine.batch import RuleBook
from twinwall.events.drop import drop_reason, drop_records
from twinwall.path.layout import MARK_IP, MARK_REASSEMBLED, MARK_TRANSPORT
from twinwall.path.reason import Reason

RULES = RuleBook((rule(10, message="edge"),), (rule(20), rule(30, noalert=True)))
SURICATA_REASONS = {
    "decode error", "defrag error", "defrag memcap", "flow memcap", "flow drop", "stream error", "stream midstream", "rules",
}  # fmt: skip


def drops(record=None, **decided):
    made = batch([decision(1, verdict=1, **decided)], [record or tcp_record(marks=MARK_IP)], rules=RULES)
    return drop_records(made)


def test_a_stateless_drop_names_its_rule():
    (record,) = drops(stage=0, rule=0, reason=Reason.STATELESS_RULE)
    assert record["drop"] == {"len": 40, "tos": 0, "ttl": 64, "ipid": 0, "reason": "rules"}
    assert (record["alert"]["signature_id"], record["alert"]["signature"], record["alert"]["action"]) == (10, "edge", "blocked")


@pytest.mark.parametrize(
    "decided",
    [
        {"reason": Reason.STATELESS_DEFAULT, "stage": 0},
        {"reason": Reason.FLOW_DROP, "rule": 0},
        {"reason": Reason.RULE, "rule": 1},
    ],
    ids=["no rule", "the flow's rule", "noalert"],
)
def test_a_drop_without_a_rule_to_report_names_none(decided):
    (record,) = drops(**decided)
    assert "alert" not in record


def test_what_passes_and_what_has_no_ip_header_is_not_recorded():
    made = batch([decision(1), decision(2, verdict=1, reason=Reason.TRUNCATED_IP)], [tcp_record(), {"marks": MARK_IP}])
    assert drop_records(made) == []


def test_every_reason_is_one_of_suricata_s():
    assert {drop_reason(reason) for reason in Reason} == SURICATA_REASONS
    assert drop_reason(Reason.BAD_UDP_LENGTH) == "decode error"
    assert drop_reason(Reason.DEFAULT_DROP_STRICT) == "rules"


def test_of_a_reassembled_datagram_the_fields_that_no_frame_holds_are_zero():
    whole = tcp_record(marks=MARK_IP | MARK_TRANSPORT | MARK_REASSEMBLED, l4=34)
    made = dataclasses.replace(
        batch([decision(1, verdict=1)], [whole], frames=[{"captured_length": 60}]),
        buffers=((0, np.full(60, 255, dtype=np.uint8)),),
    )
    assert drop_records(made)[0]["drop"]["tcpurgp"] == 0


def test_the_drops_of_a_conversation():
    records = {record["pcap_cnt"]: record for record in drop_records(conversation_batch())}
    by_protocol = [(record["proto"], record["drop"]["reason"], record.get("direction")) for record in records.values()]
    assert by_protocol == [
        ("UDP", "rules", "to_server"), ("UDP", "flow drop", "to_server"), ("UDP", "flow drop", "to_client"),
        ("UDP", "rules", "to_server"), ("ICMP", "rules", "to_server"), ("IPv6-ICMP", "rules", "to_server"),
        ("TCP", "rules", "to_server"), ("UDP", "rules", "to_server"), ("GRE", "rules", None),
    ]  # fmt: skip
    stopped = {record["proto"]: record["drop"] for record in records.values()}
    assert stopped["TCP"] == {
        "len": 40, "tos": 8, "ttl": 64, "ipid": 7, "tcpseq": 1, "tcpack": 0, "tcpwin": 8192, "syn": True, "ack": False,
        "psh": False, "rst": False, "urg": True, "fin": False, "tcpres": 0, "tcpurgp": 9, "reason": "rules",
    }  # fmt: skip
    assert stopped["IPv6-ICMP"] == {"len": 20, "tc": 17, "hoplimit": 64, "flowlbl": 0x12345, "reason": "rules"}
    assert (stopped["ICMP"]["icmp_id"], stopped["ICMP"]["icmp_seq"]) == (0x3412, 0x0300)
