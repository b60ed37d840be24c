"""Stateless groups: what a rule of the service becomes."""

import pytest

from tests.formats.aws.made import (
    HOME,
    codes,
    custom_action,
    only,
    policy,
    read,
    refer,
    stateless,
    stateless_group,
    stateless_rule,
)
from twinwall.formats.aws.options import AwsOptions, OtherFragments, Portless
from twinwall.policy.model import Action, PacketField
from twinwall.policy.sets import ANY_ADDRESS, ANY_PORT

TCP_443 = {"Protocols": [6], "DestinationPorts": [{"FromPort": 443, "ToPort": 443}]}


def rules(*given, **more):
    reading = stateless(*given, **more)
    assert reading.policy is not None, reading.diagnostics
    return reading.policy.stateless.rules


def test_a_rule_becomes_sets():
    (rule,) = rules(
        stateless_rule(
            7,
            ["aws:forward_to_sfe"],
            Sources=[{"AddressDefinition": "10.0.0.0/24"}, {"AddressDefinition": "2001:db8::1"}],
            Destinations=[{"AddressDefinition": "192.0.2.1"}],
            SourcePorts=[{"FromPort": 1024, "ToPort": 65535}],
            **TCP_443,
        )
    )
    assert (rule.action, rule.sid, rule.group, rule.protocols) == (Action.FORWARD, 7, "fast", frozenset({6}))
    assert rule.source.v4 == ((0x0A000000, 0x0A0000FF),)
    assert rule.source.contains(6, 0x20010DB8 << 96 | 1)
    assert rule.destination.v4 == ((0xC0000201, 0xC0000201),)
    assert rule.destination.v6 == ()
    assert rule.source_ports.ranges == ((1024, 65535),)
    assert rule.destination_ports.ranges == ((443, 443),)
    assert rule.span.file == "1.json"
    assert "fast" in rule.message
    assert "443" in rule.text


@pytest.mark.parametrize("attributes", [{}, {"Sources": [], "Protocols": [], "TCPFlags": []}])
def test_settings_that_are_absent_or_empty_ask_nothing(attributes):
    (rule,) = rules(stateless_rule(**attributes))
    assert (rule.protocols, rule.source, rule.destination) == (None, ANY_ADDRESS, ANY_ADDRESS)
    assert (rule.source_ports, rule.destination_ports, rule.conditions) == (ANY_PORT, ANY_PORT, ())


def test_rules_stand_by_group_priority_and_then_by_rule_priority():
    made = policy(StatelessRuleGroupReferences=refer("late", "early", kind="stateless", priorities=[20, 10]))
    late = stateless_group("late", stateless_rule(1))
    early = stateless_group("early", stateless_rule(9), stateless_rule(3))
    found = read(made, late, early).policy.stateless.rules
    assert [(rule.group, rule.sid) for rule in found] == [("early", 3), ("early", 9), ("late", 1)]


def flag_values(*entries):
    (rule,) = rules(stateless_rule(Protocols=[6], TCPFlags=list(entries)))
    (condition,) = rule.conditions
    assert condition.field is PacketField.TCP_FLAGS
    assert not condition.negated
    return {value for value in range(256) if any(low <= value & condition.mask <= high for low, high in condition.ranges)}


def test_flags_are_compared_under_their_mask():
    assert flag_values({"Flags": ["SYN"], "Masks": ["SYN", "ACK"]}) == {value for value in range(256) if value & 0x12 == 0x02}


@pytest.mark.parametrize("entry", [{"Flags": ["SYN"]}, {"Flags": ["SYN"], "Masks": []}])
def test_without_masks_all_eight_flags_are_looked_at(entry):
    assert flag_values(entry) == {0x02}  # an ECN SYN (SYN, ECE, CWR) does not match


def test_several_flag_entries_are_alternatives():
    found = flag_values({"Flags": ["SYN"], "Masks": ["SYN", "ACK"]}, {"Flags": ["FIN"]})
    assert found == {value for value in range(256) if value & 0x12 == 0x02 or value == 0x01}


def test_flags_outside_their_masks_are_refused():
    found = only(stateless(stateless_rule(Protocols=[6], TCPFlags=[{"Flags": ["SYN"], "Masks": ["ACK"]}])), "aws-flags")
    assert "SYN" in found.message


def test_ports_without_protocol_do_not_match_icmp_and_are_warned_of():
    reading = stateless(stateless_rule(DestinationPorts=[{"FromPort": 53, "ToPort": 53}]))
    assert codes(reading) == ["aws-ports-without-protocol"]
    (rule,) = reading.policy.stateless.rules
    assert rule.protocols == frozenset({6, 17})


def test_ports_without_protocol_can_be_ignored_for_other_protocols():
    given = stateless_rule(5, DestinationPorts=[{"FromPort": 53, "ToPort": 53}], TCPFlags=[{"Flags": ["SYN"]}])
    reading = stateless(given, options=AwsOptions(home_net=("10.0.0.0/8",), portless=Portless.IGNORE))
    assert codes(reading) == ["aws-ports-without-protocol", "aws-flags-without-tcp"]
    tcp, udp, others = reading.policy.stateless.rules
    assert (tcp.protocols, tcp.destination_ports.ranges, len(tcp.conditions)) == (frozenset({6}), ((53, 53),), 1)
    assert (udp.protocols, udp.destination_ports.ranges, udp.conditions) == (frozenset({17}), ((53, 53),), ())
    assert others.protocols == frozenset(range(256)) - {6, 17}
    assert (others.destination_ports, others.conditions) == (ANY_PORT, ())
    assert {tcp.sid, udp.sid, others.sid} == {5}


def test_a_rule_for_icmp_with_ports_matches_nothing_or_everything():
    given = stateless_rule(Protocols=[1], DestinationPorts=[{"FromPort": 53, "ToPort": 53}])
    assert stateless(given).policy.stateless.rules == ()
    reading = stateless(given, options=AwsOptions(home_net=("10.0.0.0/8",), portless=Portless.IGNORE))
    (rule,) = reading.policy.stateless.rules
    assert (rule.protocols, rule.destination_ports) == (frozenset({1}), ANY_PORT)


def test_udp_lite_has_no_ports_for_the_service():
    given = stateless_rule(Protocols=[17, 136], DestinationPorts=[{"FromPort": 53, "ToPort": 53}])
    (rule,) = stateless(given).policy.stateless.rules
    assert rule.protocols == frozenset({17})


def test_fragments_other_than_udp_are_dropped_where_no_rule_matched():
    stage = stateless(stateless_rule()).policy.stateless
    assert (stage.fragments, stage.other_fragments) == (Action.DROP, Action.DROP)
    assert len(stage.rules) == 1


def test_fragments_other_than_udp_can_be_dropped_before_any_rule():
    stage = stateless(stateless_rule(), options=AwsOptions(other_fragments=OtherFragments.ALWAYS)).policy.stateless
    first = stage.rules[0]
    assert (first.action, first.synthetic, first.conditions[0].field) == (Action.DROP, True, PacketField.FRAGMENT)
    assert 17 not in first.protocols
    assert 6 in first.protocols


def test_custom_actions_are_counted_and_change_no_verdict():
    (rule,) = rules(stateless_rule(10, ["Count", "aws:drop"]), custom=[custom_action()])
    assert (rule.action, rule.metrics) == (Action.DROP, ("seen",))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Priority": 0}, "aws-priority-range"),
        ({"Priority": 70_000}, "aws-priority-range"),
        ({"Priority": True}, "aws-wrong-type"),
        ({"Priority": None}, "aws-missing"),
        ({"RuleDefinition": None}, "aws-missing"),
        ({"RuleDefinition": []}, "aws-wrong-type"),
        ({"RuleDefinition": {"Actions": ["aws:drop"]}}, "aws-missing"),
        ({"RuleDefinition": {"Actions": ["aws:drop"], "MatchAttributes": []}}, "aws-wrong-type"),
        ({"RuleDefinition": {"MatchAttributes": {}}}, "aws-missing"),
    ],
)
def test_a_rule_of_the_wrong_shape(given, code):
    reading = stateless({**stateless_rule(), **given})
    assert reading.policy is None
    assert codes(reading) == [code]


def test_the_same_priority_twice():
    found = only(stateless(stateless_rule(5), stateless_rule(5)), "aws-priority-twice")
    assert "5" in found.message


@pytest.mark.parametrize("member", ["RuleVariables", "StatefulRuleOptions"])
def test_members_of_stateful_groups_are_refused(member):
    made = stateless_group("fast")
    made["RuleGroup"][member] = {}
    references = refer("fast", kind="stateless", priorities=[1])
    found = only(read(policy(StatelessRuleGroupReferences=references), made), "aws-stateless-extra")
    assert member in found.message


def test_reference_sets_are_accepted_in_a_stateless_group():
    made = stateless_group("fast")
    made["RuleGroup"]["ReferenceSets"] = {"IPSetReferences": {}}
    references = refer("fast", kind="stateless", priorities=[1])
    assert read(policy(StatelessRuleGroupReferences=references), made, options=HOME).diagnostics == ()


def test_the_body_must_be_the_stateless_one():
    made = stateless_group("fast")
    made["RuleGroup"]["RulesSource"] = {"RulesString": ""}
    references = refer("fast", kind="stateless", priorities=[1])
    assert codes(read(policy(StatelessRuleGroupReferences=references), made)) == ["aws-source-bodies"]
    made["RuleGroup"]["RulesSource"] = []
    assert codes(read(policy(StatelessRuleGroupReferences=references), made)) == ["aws-wrong-type"]
