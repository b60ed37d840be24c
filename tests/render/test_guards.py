"""What a rule asks beside addresses and ports, as nftables says it; and what it is refused for."""

from __future__ import annotations

import pytest

from tests.render.rendering import ATTACH, policy_of
from twinwall.path.layout import ICMP, ICMP6, TCP, UDP
from twinwall.policy.sets import TOP_PORT
from twinwall.render.guards import NEVER, compared, guard_of, unsupported_rule
from twinwall.render.match import NO_GUARD

HOST = ATTACH.replace("gateway", "host")
CASES = [
    ("pass tcp any any -> any any (flags:S,12;)", TCP, "@th,104,8 { 2, 66, 130, 194 }"),
    ("pass tcp any any -> any any (flags:SA;)", TCP, "@th,104,8 18"),
    ("pass tcp any any -> any any (window:!0;)", TCP, "tcp window 1-65535"),
    ("pass tcp any any -> any any (seq:7; ack:8;)", TCP, "tcp sequence 7 tcp ackseq 8"),
    ("pass icmp any any -> any any (itype:8; icode:<2;)", ICMP, "@th,0,8 8 @th,8,8 0-1"),
    ("pass icmp any any -> any any (icmp_id:9;)", ICMP, "@th,0,8 { 0, 8, 13-18 } @th,32,16 9"),
    ("pass icmp any any -> any any (icmp_seq:9;)", ICMP6, "@th,0,8 { 128-129 } @th,48,16 9"),
    ("pass ip any any -> any any (tos:!8;)", None, "@nh,8,8 { 0-7, 9-255 }"),
    ("pass ip any any -> any any (id:77;)", None, "ip id 77"),
    ("pass ip any any -> any any (fragbits:D;)", None, "@nh,48,16 & 0xe000 16384-24575"),
    ("pass ip any any -> any any (fragoffset:>0;)", None, "@nh,48,16 & 0x1fff 1-8191"),
    ("pass ip any any -> any any (ipopts:rr;)", None, "ip option rr exists"),
    ("pass ip any any -> any any (ipopts:any;)", None, "ip hdrlength > 5"),
    ("pass ip any any -> any any (interface:lan0;)", None, 'iifname { "lan0" }'),
    ("pass ip any any -> any any (interface:!lan0;)", None, 'iifname != { "lan0" }'),
]


def guard(rule: str, protocol: int | None = None, family: int = 4, attach: str = ATTACH):
    policy = policy_of(rule, attach=attach)
    return guard_of(policy.stateful.rules[0], policy, family, protocol)


@pytest.mark.parametrize(("rule", "protocol", "text"), CASES, ids=[case[0] for case in CASES])
def test_conditions(rule: str, protocol: int | None, text: str):
    assert guard(rule, protocol).text == text


def test_a_rule_without_conditions_asks_nothing():
    assert guard("pass ip any any -> any any ()") == NO_GUARD


def test_a_gateway_sees_the_ttl_after_its_own_hop():
    assert guard("pass ip any any -> any any (ttl:64;)").text == "ip ttl 63"
    assert guard("pass ip any any -> any any (ttl:<10;)", family=6).text == "ip6 hoplimit 0-8"
    assert guard("pass ip any any -> any any (ttl:64;)", attach=HOST).text == "ip ttl 64"


@pytest.mark.parametrize(
    ("rule", "protocol", "family"),
    [
        ("pass ip any any -> any any (id:77;)", None, 6),
        ("pass icmp any any -> any any (itype:8;)", None, 4),
        ("pass ip any any -> any any (dsize:>0;)", None, 4),
        ("pass ip any any -> any any (ipopts:rr;)", None, 6),
    ],
)
def test_a_packet_without_the_field_cannot_match(rule: str, protocol: int | None, family: int):
    assert guard(rule, protocol, family) is NEVER


def test_flow_bits_are_labels():
    rule = "alert tcp any any -> any any (flowbits:isset,a|b; flowbits:isnotset,c; flowbits:set,d;)"
    found = guard(rule, TCP)
    assert found.gates == (("ct label 0 goto {next}", "ct label 1 goto {next}"), ("ct label 2 return", "goto {next}"))
    assert found.effects == "ct label set 3"


def test_bits_that_must_be_set_are_no_gates_however_many():
    """Each gate is a chain that leads to the next, and nftables follows 16."""
    asked = guard("alert tcp any any -> any any (flowbits:isset,a; flowbits:isset,b;)")
    assert (asked.text, asked.gates) == ("ct label 0 ct label 1", ())


def test_udp_says_its_length():
    assert guard("pass udp any any -> any any (dsize:>100;)", UDP).gates == (
        (f"udp length {{ 109-{TOP_PORT} }} goto {{next}}",),
    )


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("pass ip any any -> any any (sameip;)", "two addresses"),
        ("pass ip any any -> any any (ipopts:nop;)", "IP option"),
        ("pass tcp any any -> any any (flow:no_frag;)", "came in pieces"),
        ("pass tcp any any -> any any (flowbits:toggle,a;)", "cannot toggle"),
        ("pass tcp any any -> any any (flowbits:unset,a;)", "cannot unset"),
        ("pass tcp any any -> any any (dsize:>400;)", "extension headers"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name_and_with_a_remedy(rule: str, what: str):
    policy = policy_of(rule)
    (found,) = unsupported_rule(policy.stateful.rules[0], policy)
    assert what in found.what
    assert found.remedy
    assert found.sid == 1
    assert found.span is not None


def test_a_bridge_does_not_know_a_packets_port():
    policy = policy_of("pass ip any any -> any any (interface:lan0;)", attach=ATTACH.replace("gateway", "bridge"))
    assert "bridge" in next(unsupported_rule(policy.stateful.rules[0], policy)).what


def test_large_payloads_are_no_trouble_over_ipv4():
    policy = policy_of("pass tcp 10.0.0.0/8 any -> any any (dsize:>400;)")
    assert not list(unsupported_rule(policy.stateful.rules[0], policy))


def test_a_field_that_every_packet_has_is_not_asked_for_any_value():
    assert compared("ip ttl", ((0, 255),), 8) == []
    assert compared("frag frag-off", ((0, 8191),), 13) == ["frag frag-off 0-8191"]
