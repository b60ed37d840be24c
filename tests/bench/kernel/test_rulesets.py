"""The forms that are compared say the same."""

from __future__ import annotations

import ipaddress

from bench.kernel.rulesets import drop_rules, iptables, nft_lines, nft_sets, policy
from twinwall.rules.policy_file import read_policy_text


def test_no_two_rules_concern_the_same_packets():
    rules = drop_rules(2_000)
    assert len({(rule.source, rule.destination, rule.port) for rule in rules}) == len(rules)
    assert len({rule.source for rule in rules}) == len(rules)


def test_each_form_has_each_rule_once():
    rules = drop_rules(50)
    parsed, mistakes = read_policy_text(policy(rules), "bench", open)
    assert parsed is not None, mistakes
    for rule, found in zip(rules, parsed.stateless.rules, strict=True):
        network = ipaddress.ip_network(rule.source)
        assert found.source.v4 == ((int(network[0]), int(network[-1])),)
        assert found.destination_ports.ranges == ((rule.port, rule.port),)
        for text in (nft_lines(rules, "in0"), iptables(rules), nft_sets(rules, "in0")):
            assert text.count(rule.source) == 1
    assert nft_lines(rules, "in0").count("drop") == iptables(rules).count("DROP") == len(rules)


def test_a_rule_s_frame_is_one_that_it_drops():
    rule = drop_rules(1)[0]
    frame = rule.hit()
    assert ipaddress.ip_address(frame[26:30]) in ipaddress.ip_network(rule.source)
    assert str(ipaddress.ip_address(frame[30:34])) == rule.destination
    assert int.from_bytes(frame[36:38], "big") == rule.port
