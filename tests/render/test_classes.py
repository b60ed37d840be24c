"""Protocol classes: as few as the rules allow, and every protocol in exactly one."""

from __future__ import annotations

from tests.render.rendering import policy_of
from twinwall.path.layout import ICMP, ICMP6, TCP, UDP, UDPLITE
from twinwall.render.classes import protocol_classes


def classes_of(*rules: str):
    return protocol_classes(policy_of(*rules).stateful.rules)


def names(*rules: str) -> dict[str, int]:
    return {each.name: len(each.numbers) for each in classes_of(*rules)}


def test_every_protocol_is_in_one_class_and_the_rest_is_last():
    found = classes_of(
        "pass tcp any any -> any 80 ()", "drop icmp any any -> any any (itype:8;)", "pass ip any any -> any any ()"
    )
    assert sorted(number for each in found for number in each.numbers) == list(range(256))
    assert len(found[-1].numbers) == max(len(each.numbers) for each in found)


def test_protocols_that_no_rule_tells_apart_are_one_class():
    assert names("pass ip any any -> any any ()") == {"tcp": 1, "ip0": 255}


def test_tcp_is_apart_because_default_actions_are():
    assert names() == {"tcp": 1, "ip0": 255}


def test_a_rule_about_ports_sets_the_protocols_with_ports_apart():
    found = {each.name: each for each in classes_of("pass udp any any -> any 53 ()")}
    assert found["udp"].has_ports
    assert found["udp"].protocol == UDP
    assert found["tcp"].protocol == TCP
    assert UDPLITE in found["ip0"].numbers


def test_a_condition_sets_its_protocols_apart():
    assert {each.protocol for each in classes_of("pass icmp any any -> any any (itype:8;)")} == {TCP, ICMP, ICMP6, None}


def test_a_class_knows_the_rules_that_concern_it():
    found = {
        each.name: each.rules
        for each in classes_of("pass udp any any -> any 53 ()", "pass ip any any -> any any (ip_proto:47;)")
    }
    assert found["udp"] == (0,)
    assert found["ip47"] == (1,)
    assert found["ip0"] == ()
