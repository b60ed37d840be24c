from __future__ import annotations

import pytest

from tests.events.batches import START, batch, decision, rule, tcp_record
from twinwall.engine.batch import RuleBook
from twinwall.events.alert import alert_records, rule_metadata
from twinwall.path.layout import MARK_IP, MARK_QUOTE, MARK_TRANSPORT
from twinwall.path.reason import Reason
from twinwall.policy.model import Action

ALERT = {
    "packet": 1, "flow_id": 5, "rule": 0, "direction": 0,
    "o_packets": 3, "o_bytes": 180, "r_packets": 2, "r_bytes": 900, "start": START,
}  # fmt: skip
WATCH = rule(
    100, Action.ALERT, message="watch", category="Misc", priority=2, rev=4, metadata=(("b", "1"), ("a", "2"), ("b", "3"))
)


def alerts(*, alert=None, record=None, rules=(WATCH,), **decided):
    made = batch(
        [decision(1, flow_id=5, **decided)],
        [record or tcp_record()],
        alerts=[ALERT | (alert or {})],
        rules=RuleBook((), rules),
    )
    return alert_records(made)[0]


def test_an_alert_in_full():
    assert alerts() == {
        "timestamp": "2026-01-01T00:00:00.123456+0000",
        "flow_id": 5,
        "pcap_cnt": 1,
        "event_type": "alert",
        "src_ip": "10.0.0.5",
        "src_port": 40000,
        "dest_ip": "198.51.100.7",
        "dest_port": 443,
        "proto": "TCP",
        "pkt_src": "wire/pcap",
        "alert": {
            "action": "allowed",
            "gid": 1,
            "signature_id": 100,
            "rev": 4,
            "signature": "watch",
            "category": "Misc",
            "severity": 2,
            "metadata": {"a": ["2"], "b": ["3", "1"]},
        },
        "direction": "to_server",
        "flow": {
            "pkts_toserver": 3,
            "pkts_toclient": 2,
            "bytes_toserver": 180,
            "bytes_toclient": 900,
            "start": "2026-01-01T00:00:00.123456+0000",
            "src_ip": "10.0.0.5",
            "dest_ip": "198.51.100.7",
            "src_port": 40000,
            "dest_port": 443,
        },
        "verdict": {"action": "alert"},
    }


def test_a_reply_s_alert_names_the_packet_s_source_and_the_flow_s_client():
    record = alerts(alert={"direction": 1})
    assert (record["direction"], record["src_ip"], record["src_port"]) == ("to_client", "10.0.0.5", 40000)
    assert (record["flow"]["src_ip"], record["flow"]["src_port"]) == ("198.51.100.7", 443)
    assert (record["flow"]["dest_ip"], record["flow"]["dest_port"]) == ("10.0.0.5", 40000)


def test_an_icmp_error_s_flow_is_the_quoted_packet_s():
    error = tcp_record(proto=1, icmp_type=3, icmp_code=1, marks=MARK_IP | MARK_TRANSPORT | MARK_QUOTE)
    record = alerts(record=error)
    assert (record["icmp_type"], record["icmp_code"]) == (3, 1)
    assert "src_port" not in record
    assert "src_ip" not in record["flow"]


def test_without_a_flow_nothing_is_said_of_one():
    made = batch([decision()], [tcp_record()], alerts=[{"packet": 1}], rules=RuleBook((), (WATCH,)))
    assert not {"flow_id", "flow", "direction"} & alert_records(made)[0].keys()


@pytest.mark.parametrize(
    ("decided", "verdict"),
    [
        ({}, {"action": "alert"}),
        ({"verdict": 1, "rule": 0}, {"action": "drop"}),
        ({"verdict": 2}, {"action": "drop", "reject-target": "to_client", "reject": ["tcp-reset"]}),
        ({"reason": Reason.FLOW_PASS}, {"action": "pass"}),
        ({"rule": 1, "reason": Reason.RULE}, {"action": "pass"}),
    ],
)
def test_the_verdict_is_the_packet_s(decided, verdict):
    assert alerts(rules=(WATCH, rule(2, Action.PASS)), **decided)["verdict"] == verdict


def test_a_rejected_datagram_is_answered_by_icmp():
    assert alerts(record=tcp_record(proto=17), verdict=2)["verdict"]["reject"] == ["icmp-prohib"]


def test_alerts_find_their_packets():
    made = batch(
        [decision(4), decision(9, timestamp=START + 1_000_000)],
        [tcp_record(), tcp_record(sport=1)],
        alerts=[{"packet": 9}],
        rules=RuleBook((), (WATCH,)),
    )
    assert alert_records(made)[0]["src_port"] == 1


def test_a_rule_without_metadata_has_none():
    assert rule_metadata(rule(1)) == {}
