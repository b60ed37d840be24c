"""What becomes of single rules; that they decide rightly is tested in test_stateless.py."""

from __future__ import annotations

from tests.path.stateless_policy import rule
from twinwall.policy.model import Action, Condition, PacketField, Policy, StatelessStage
from twinwall.render.stateless_rules import rule_chains

OTHER_INTERFACE = Condition(PacketField.INTERFACE, ((1, 1),), negated=True)
THIS_INTERFACE = Condition(PacketField.INTERFACE, ((1, 1),))


def rendered(*rules, **options):
    found = rule_chains(Policy(stateless=StatelessStage(rules), interfaces=("lan0", "wan0")), **options)
    return {each.name: each.rules for each in found.chains}, "".join(found.declared)


def test_without_rules_the_defaults_decide():
    chains, declared = rendered()
    assert declared == ""
    assert {name: chains[name] for name in ("rules4", "rules6", "bare4", "bare6")} == dict.fromkeys(
        ("rules4", "rules6", "bare4", "bare6"), ("goto defaults",)
    )


def test_rules_that_do_not_overlap_are_one_map():
    chains, declared = rendered(*(rule(sid, Action.DROP, [6], f"10.0.{sid}.0/24") for sid in range(1, 100)))
    assert declared.count("\tmap ") == 1, "the same map serves packets with and without a header"
    assert 'comment "sid 99" : goto rule_drop' in declared
    assert chains["rules4_tcp"] == ("ip saddr vmap @tcp4_1", "goto defaults")


def test_an_earlier_rule_is_asked_first():
    narrow, wide = rule(1, Action.PASS, [6], "10.0.0.1/32"), rule(2, Action.DROP, [6], "10.0.0.0/8")
    chains, _ = rendered(narrow, wide)
    assert chains["rules4_tcp"] == ("ip saddr vmap @tcp4_1", "ip saddr vmap @tcp4_2", "goto defaults")


def test_what_asks_for_ports_or_flags_does_not_meet_packets_without_a_header():
    flags = Condition(PacketField.TCP_FLAGS, ((2, 2),))
    chains, _ = rendered(
        rule(1, Action.DROP, [6], None, None, None, [(80, 80)]), rule(2, Action.DROP, [6], None, None, None, None, flags)
    )
    assert chains["bare4"] == ("goto defaults",)
    assert len(chains["rules4_tcp"]) == 3


def test_interfaces_are_names_and_an_unknown_one_is_no_interface():
    chains, _ = rendered(rule(1, Action.DROP, [6], None, None, None, None, OTHER_INTERFACE))
    assert chains["rules4_tcp"][0].startswith('iifname != { "lan0" } counter goto rule_drop')


def test_what_the_machine_sends_has_no_incoming_interface():
    sent = {"prefix": "stateless_", "outgoing": True}
    other, this = (rule(1, Action.DROP, [6], None, None, None, None, each) for each in (OTHER_INTERFACE, THIS_INTERFACE))
    chains, _ = rendered(other, **sent)
    assert chains["stateless_rules4_tcp"][0].startswith("counter goto stateless_rule_drop")
    chains, _ = rendered(this, **sent)
    assert chains["stateless_rules4"] == ("goto stateless_defaults",)


def test_a_rule_that_no_packet_can_match_is_left_out():
    never = Condition(PacketField.FRAGMENT, ((7, 7),))
    chains, _ = rendered(rule(1, Action.DROP, [6], None, None, None, None, never))
    assert chains["rules4"] == chains["bare6"] == ("goto defaults",)


def test_a_rule_for_one_ip_version():
    chains, _ = rendered(rule(1, Action.DROP, None, "2001:db8::/32"))
    assert chains["rules4"] == ("goto defaults",)
    assert chains["rules6"][-1].startswith("goto rules6_")


def test_where_most_protocols_go_is_not_listed():
    chains, _ = rendered(rule(1, Action.DROP, [6, 17], "10.0.0.0/8"), rule(2, Action.DROP, None, "11.0.0.0/8"))
    listed, rest = chains["rules4"]
    assert listed.count(":") == 2
    assert rest.startswith("goto rules4_")
