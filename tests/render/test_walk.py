"""Walks: families and protocols are told apart as little as possible; guards, effects and the way back."""

from __future__ import annotations

from tests.render.rendering import chains_of, maps_of, policy_of, text_of
from twinwall.render.fast import KNOWN
from twinwall.render.walk import flow_rules


def walked(*rules: str, **settings: str) -> dict[str, list[str]]:
    return chains_of(text_of(policy_of(*rules, **settings)))


def test_rules_for_one_protocol_leave_the_others_alone():
    chains = walked("pass udp any any -> any 53 (flow:to_server;)")
    (line,) = [line for line in chains["at_original"] if "vmap" in line]
    assert line.count("goto") == 2
    assert "ipv4 . 17 : goto udp4_original" in line
    assert chains["at_original"][-1] == "goto tail"


def test_maps_are_shared_by_all_places():
    maps = maps_of(text_of(policy_of("pass tcp 10.0.0.0/8 any -> any 80 (flow:stateless;)")))
    assert [len(elements) for name, elements in maps.items() if name != KNOWN] == [1]


def test_an_earlier_rule_is_looked_up_earlier():
    chains = walked(
        "drop tcp 10.0.0.0/24 any -> any 80 (flow:to_server;)", "pass tcp 10.0.0.0/8 any -> any 80 (flow:to_server;)"
    )
    lookups = [line for line in chains["tcp4_original"] if "map @" in line]
    assert [line.split("map @")[1].split()[0] for line in lookups] == ["tcp4_1", "tcp4_2"]


def test_a_guard_stands_in_front_and_a_gate_in_a_chain_of_its_own():
    chains = walked("drop tcp any any -> any 80 (flags:S; flow:to_server; flowbits:isset,a|b;)")
    (line,) = [line for line in chains["tcp4_original"] if line.startswith("jump")]
    gate = chains[line.removeprefix("jump ")]
    assert gate == ["ct label 0 goto tcp4_body", "ct label 1 goto tcp4_body"]
    assert chains["tcp4_body"][0].startswith("@th,104,8 2 meta mark set th dport map @")


def test_bits_are_set_behind_a_pass_too():
    chains = walked(
        "pass tcp any any -> any 80 (flow:to_server;)", "alert tcp any any -> any any (flow:to_server; flowbits:set,a;)"
    )
    walk = chains["tcp4_original"]
    assert walk[0].endswith("jump hit_keep")
    assert walk[1] == "meta mark & 0x00700000 == 0x00100000 goto tcp4_effects"
    assert chains["tcp4_effects"] == ["ct label set 0", "goto passed"]


def test_flow_rules_are_asked_for_the_other_direction_too():
    chains = walked("pass tcp 10.0.0.0/8 any -> any 80 ()", "alert tcp any any -> any any (flow:to_server;)")
    assert chains["tcp4_before"] == ["meta mark set ip daddr . th sport map @tcp4_1 jump hit_before"]
    assert "ct direction reply goto asked_before" in chains["stale"]


def test_without_flow_rules_nothing_is_asked_for_the_other_direction():
    policy = policy_of("pass tcp any any -> any 80 (flow:to_server;)")
    assert not flow_rules(policy)
    assert "asked_before" not in text_of(policy)
