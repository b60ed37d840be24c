from __future__ import annotations

import json

import pytest

from tests.events.batches import START, batch, decision, rule, tcp_record
from tests.events.test_flow import FLOW
from twinwall.engine.batch import RuleBook
from twinwall.events.aws_log import AwsLogWriter, Envelope, alert_log, netflow_log
from twinwall.events.rows import flow_rows
from twinwall.path.layout import MARK_IP, MARK_TRANSPORT
from twinwall.policy.model import Action

POLICY = "arn:aws:network-firewall:us-east-1:111122223333:firewall-policy/edge"
EDGE = Envelope("edge", "us-east-1a", POLICY)


def alerts(made_rule, record=None, envelope=EDGE):
    made = batch(
        [decision(verdict=1, rule=0, flow_id=5)],
        [record or tcp_record()],
        alerts=[{"packet": 1, "flow_id": 5, "blocked": 1, "start": START}],
        rules=RuleBook((), (made_rule,)),
    )
    return alert_log(made, envelope)[0]


def test_an_alert_in_full():
    assert alerts(rule(7, message="no", category="c", group="web")) == {
        "firewall_name": "edge",
        "availability_zone": "us-east-1a",
        "event_timestamp": "1767225600",
        "aws_metadata": {"resource_arn": "arn:aws:network-firewall:us-east-1:111122223333:stateful-rulegroup/web"},
        "event": {
            "timestamp": "2026-01-01T00:00:00.123456+0000",
            "flow_id": 5,
            "event_type": "alert",
            "src_ip": "10.0.0.5",
            "src_port": 40000,
            "dest_ip": "198.51.100.7",
            "dest_port": 443,
            "proto": "TCP",
            "pkt_src": "geneve encapsulation",
            "alert": {"action": "blocked", "signature_id": 7, "rev": 0, "signature": "no", "category": "c", "severity": 3},
            "direction": "to_server",
            "verdict": {"action": "drop"},
        },
    }


@pytest.mark.parametrize(
    ("written", "sid", "signature"),
    [
        ("drop_strict", 2, "aws:alert_strict action"),
        ("alert_established", 4, "aws:alert_established action"),
        ("drop_established_app_layer", 6, "aws:alert_established_app_layer action"),
        ("alert_established_app_layer_to_server", 8, "aws:alert_established_app_layer_to_server action"),
    ],
)
def test_a_default_action_has_the_service_s_number_and_text_and_names_the_policy(written, sid, signature):
    default = rule(0, message=f"aws:{written}", synthetic=True)
    record = alerts(default)
    assert (record["event"]["alert"]["signature_id"], record["event"]["alert"]["signature"]) == (sid, signature)
    assert record["aws_metadata"] == {"resource_arn": POLICY}
    assert alerts(default, tcp_record(proto=17))["event"]["alert"]["signature_id"] == 2


def test_a_written_rule_that_speaks_of_a_default_keeps_its_number():
    assert alerts(rule(9, message="like drop_strict"))["event"]["alert"]["signature_id"] == 9


def test_icmp_has_ports_of_zero_in_their_places():
    event = alerts(rule(7), tcp_record(proto=1, icmp_type=8, marks=MARK_IP | MARK_TRANSPORT))["event"]
    assert list(event)[3:9] == ["src_ip", "src_port", "dest_ip", "dest_port", "proto", "icmp_type"]
    assert (event["src_port"], event["dest_port"]) == (0, 0)


def test_the_resource_of_other_policies():
    assert Envelope("home").resource(rule(1, group="lan")) == ""
    assert "aws_metadata" not in alerts(rule(1), envelope=Envelope("home"))
    assert EDGE.resource(rule(1, group="arn:aws:x")) == "arn:aws:x"
    assert EDGE.resource(rule(1)) == POLICY


def test_a_netflow_carries_the_connection_s_state():
    (flow,) = flow_rows(batch([], [], flows=[FLOW]))
    client, server = netflow_log(flow, EDGE)
    assert client["event_timestamp"] == "1767225722"
    assert client["event"]["event_type"] == "netflow"
    assert client["event"]["netflow"] | {"state": "closed", "reason": "timeout", "alerted": True} == client["event"]["netflow"]
    assert server["event"]["src_port"] == 443
    assert "aws_metadata" not in client


def test_the_file_holds_alerts_then_netflows(tmp_path):
    made = batch(
        [decision()], [tcp_record()], alerts=[{"packet": 1}], flows=[FLOW], rules=RuleBook((), (rule(1, Action.ALERT),))
    )
    with AwsLogWriter(tmp_path / "aws.json", EDGE) as writer:
        writer.write(made)
    events = [json.loads(line)["event"]["event_type"] for line in (tmp_path / "aws.json").read_text().splitlines()]
    assert events == ["alert", "netflow", "netflow"]
