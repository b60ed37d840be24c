from __future__ import annotations

import pytest

from tests.events.frames import between, icmp, tcp, udp
from tests.events.test_known_flow import row
from twinwall.enforce.rulebook import RuleBook
from twinwall.enforce.source import Kind, Source
from twinwall.engine.machine import NativeMachine
from twinwall.events.known_flow import known_flow_id
from twinwall.events.reported import DECODING, Report, claimed_length, report_records
from twinwall.path.layout import ICMP, TCP, UDP
from twinwall.render.marks import ACTION_SHIFT, REPORTS, SCOPE_FLOW, RuleAction

RULES = """
pass tcp any any -> any 22 (msg:"ssh"; alert; sid:1;)
drop tcp any any -> any 80 (msg:"web"; rev:3; metadata:owner net; sid:2;)
reject udp any any -> any 53 (msg:"dns"; sid:3;)
alert icmp any any -> any any (msg:"ping"; sid:4;)
"""
BOOK = RuleBook.of(Source(Kind.RULES, (("r.rules", RULES),)).policy())
WHEN = 1_700_000_000_123_456_789
SYN = 2


def rule_of(number, _generation):
    return BOOK.rule(number)


def word(action, number):
    return action << ACTION_SHIFT | number | REPORTS | SCOPE_FLOW


def packet(protocol, payload):
    return between("10.0.0.1", "192.0.2.7", protocol, payload)


WEB = packet(TCP, tcp(40000, 80, 7, 0, SYN))


def records(*reports):
    return report_records(reports, rule_of)


def test_a_dropped_packet_gives_an_alert_and_a_drop():
    alert, drop = records(Report(WEB, word(RuleAction.DROP, 2), WHEN, "lan0"))
    head = {
        "timestamp": "2023-11-14T22:13:20.123456+0000",
        "flow_id": known_flow_id(row(dport=80)),
        "in_iface": "lan0",
        "src_ip": "10.0.0.1",
        "src_port": 40000,
        "dest_ip": "192.0.2.7",
        "dest_port": 80,
        "proto": "TCP",
        "pkt_src": "wire/pcap",
    }
    said = {
        "action": "blocked", "gid": 1, "signature_id": 2, "rev": 3, "signature": "web", "category": "", "severity": 3,
    }  # fmt: skip
    verdict = {"verdict": {"action": "drop"}}
    assert alert == head | {"event_type": "alert", "alert": said | {"metadata": {"owner": ["net"]}}} | verdict
    assert drop["drop"] | {"tcpseq": 7, "syn": True, "len": 40, "reason": "rules"} == drop["drop"]
    assert {name: value for name, value in drop.items() if name != "drop"} == head | {
        "event_type": "drop",
        "alert": said,
    } | verdict


def test_a_rejected_datagram_is_answered():
    alert, drop = records(Report(packet(UDP, udp(4000, 53, b"abc")), word(RuleAction.REJECT, 3), WHEN))
    assert alert["verdict"] == {"action": "drop", "reject-target": "to_client", "reject": ["icmp-prohib"]}
    assert drop["drop"]["udplen"] == 11
    assert "in_iface" not in alert


def test_a_pass_rule_that_reports_says_that_it_passed():
    (alert,) = records(Report(packet(TCP, tcp(40000, 22, 7, 0, SYN)), word(RuleAction.PASS, 1), WHEN))
    assert (alert["alert"]["action"], alert["verdict"]) == ("allowed", {"action": "pass"})


def test_an_alert_says_nothing_of_the_verdict_that_others_give():
    (alert,) = records(Report(packet(ICMP, icmp(8, 0, 77, 1)), word(RuleAction.ALERT, 4), WHEN))
    assert "verdict" not in alert
    assert (alert["icmp_type"], alert["icmp_code"]) == (8, 0)
    assert alert["flow_id"] == known_flow_id(row(proto=ICMP, sport=77, dport=8 << 8))


def test_of_a_packet_without_its_end_the_whole_length_is_told():
    whole = packet(UDP, udp(4000, 53, bytes(500)))
    _, drop = records(Report(whole[:128], word(RuleAction.REJECT, 3), WHEN))
    assert drop["drop"]["len"] == len(whole) == 528
    assert drop["drop"]["udplen"] == 508


def test_a_rule_that_is_not_known_any_more_appears_by_its_number():
    (alert, _) = records(Report(WEB, word(RuleAction.DROP, 99), WHEN))
    assert alert["alert"]["signature"] == "rule number 99 of a policy that is not known here"
    assert (alert["alert"]["signature_id"], alert["alert"]["action"]) == (0, "blocked")


def test_the_rule_is_looked_up_in_its_generation():
    asked = []
    report_records([Report(WEB, word(RuleAction.DROP, 2), WHEN, generation=5)], lambda *key: asked.append(key))
    assert asked == [(2, 5)]


@pytest.mark.parametrize("rest", [b"", b"\x45", WEB[:19], b"\x60" + bytes(30), bytes(60)])
def test_a_packet_that_cannot_be_read_is_still_reported(rest):
    (alert,) = records(Report(rest, word(RuleAction.ALERT, 4), WHEN))
    assert alert["alert"]["signature_id"] == 4


def test_reports_stand_in_their_order():
    many = [Report(WEB, word(RuleAction.DROP, 2), WHEN + at * 1000) for at in range(50)]
    times = [record["timestamp"] for record in records(*many)]
    assert times == sorted(times)
    assert len(times) == 100
    assert records() == []


def test_a_packet_is_as_long_as_it_says():
    assert claimed_length(WEB[:30]) == 40
    assert claimed_length(b"\x60\0\0\0\0\x10" + bytes(34)) == 56
    assert claimed_length(WEB + b"padding") == 47


def test_the_processor_decodes_what_the_interpreter_does():
    packets = [WEB, packet(UDP, udp(53, 53, b"?")), packet(ICMP, icmp(8, 0, 9, 1)), WEB[:23], WEB[:7], b"", b"\xff" * 60]
    reports = [Report(each, word(RuleAction.REJECT, 1 + at % 4), WHEN + at, "lan0") for at, each in enumerate(packets)]
    assert report_records(reports, rule_of, NativeMachine(functions=DECODING)) == records(*reports)
