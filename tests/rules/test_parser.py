"""Rules, held against the golden vectors and against Suricata."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.rules.suricata_oracle import alerts, refused, tcp, types
from twinwall.policy.codes import Code
from twinwall.policy.model import Action, Condition, FlowbitKind, FlowDirection, PacketField, RuleType
from twinwall.rules.keyword import Where
from twinwall.rules.lexer import logical_lines
from twinwall.rules.located import Located
from twinwall.rules.parser import RuleParser, parse_rules
from twinwall.rules.printer import print_rule

VECTORS = Path(__file__).parents[2] / "vectors" / "rules"
STAGES = {"stateless": Where.STATELESS, "stateful": Where.STATEFUL}
VARIABLES = {
    "HOME_NET": (Located("[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", "f"),),
    "EXTERNAL_NET": (Located("!$HOME_NET", "f"),),
    "SSH_PORTS": (Located("22", "f"),),
}
PRINTS = json.loads((VECTORS / "prints.json").read_text())
MISTAKES = json.loads((VECTORS / "mistakes.json").read_text())
SURICATA = json.loads((VECTORS / "suricata.json").read_text())["rules"]


def one(options: str, header: str = "alert tcp any any -> any any"):
    parsed = parse_rules(f"{header} ({options} sid:1;)", "f", variables=VARIABLES)
    assert not parsed.diagnostics
    return parsed.rules[0]


def test_every_vector_file_is_used_and_every_vector_says_what_it_catches():
    assert {path.name for path in VECTORS.iterdir()} == {"prints.json", "mistakes.json", "suricata.json"}
    assert all(vector["catches"] for vector in PRINTS + MISTAKES)
    texts = [vector["rule"] for vector in PRINTS] + [vector["rules"] for vector in MISTAKES]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("vector", PRINTS, ids=lambda vector: vector["catches"])
def test_prints_as(vector):
    for text in (vector["rule"], vector["prints"]):  # the canonical text prints as itself
        parser = RuleParser()
        parsed = parser.read(logical_lines(text, "f"), STAGES[vector["stage"]])
        assert parsed.diagnostics == []
        assert print_rule(parsed.rules[0], tuple(parser.interfaces)) == vector["prints"]
        assert parsed.rules[0].type.value == vector["type"]


@pytest.mark.parametrize("vector", MISTAKES, ids=lambda vector: vector["catches"])
def test_fails_with(vector):
    parsed = RuleParser().read(logical_lines(vector["rules"], "f.rules"), STAGES[vector["stage"]])
    found = [
        {
            "code": str(each.code),
            "line": each.span.line,
            "column": each.span.column,
            "length": each.span.length,
            "message": each.message,
            "hint": each.hint,
        }
        for each in parsed.diagnostics
    ]
    assert found == vector["diagnostics"]


@pytest.mark.parametrize("vector", SURICATA, ids=lambda vector: vector["rule"])
def test_accepts_and_refuses(vector):
    text = vector["rule"] if "sid:" in vector["rule"] else f"{vector['rule'].rstrip()[:-1].rstrip()} sid:1;)"
    assert bool(parse_rules(text, "f", variables=VARIABLES).rules) is vector["twinwall"]
    assert ("why" in vector) is (vector["twinwall"] != vector["suricata"])


def test_the_vectors_say_what_suricata_says(tmp_path):
    texts = [
        vector["rule"] if "sid:" in vector["rule"] else f"{vector['rule'].rstrip()[:-1].rstrip()} sid:{at};)"
        for at, vector in enumerate(SURICATA, 1)
    ]
    bad = refused(tmp_path, texts)
    assert [at not in bad for at in range(len(texts))] == [vector["suricata"] for vector in SURICATA]


TYPED = [
    "",
    "flags:S;",
    "ttl:5;",
    "sameip;",
    "tos:5;",
    "flowbits:set,a;",
    "flowbits:isset,a;",
    "flowbits:isnotset,a;",
    "flowbits:unset,a;",
    "flowbits:toggle,a;",
    "flowbits:noalert;",
    "noalert;",
    "alert;",
    "dsize:5;",
    "itype:5;",
    "icode:5;",
    "icmp_id:5;",
    "icmp_seq:5;",
    "fragbits:M;",
    "fragoffset:1;",
    "ipopts:rr;",
    "id:1;",
    "seq:1;",
    "ack:1;",
    "window:1;",
    "flow:to_server;",
    "flow:stateless;",
    "flow:no_frag;",
    "flow:only_stream;",
    "metadata:a b; reference:url,x; classtype:misc-activity; priority:2; rev:1; gid:1;",
]
HEADERS = [
    "alert tcp !10.0.0.1 any -> any any",
    "alert tcp any any -> [10.0.0.0/8,!10.0.0.1] any",
    "alert tcp any !80 -> any any",
    "alert tcp any any -> $EXTERNAL_NET any",
    "alert tcp any any -> !$EXTERNAL_NET any",
    "alert tcp any any -> $HOME_NET any",
    "alert tcp-pkt any any -> any any",
    "alert icmp any any -> any any",
    "alert sctp any 80 -> any any",
    "alert ipv4 any any -> any any",
]


def test_rules_are_of_the_type_that_suricata_gives_them(tmp_path):
    names = {"pkt": RuleType.PACKET, "ip_only": RuleType.IP_ONLY, "like_ip_only": RuleType.LIKE_IP_ONLY}
    texts = [f"alert ip any any -> any any ({options} sid:{at};)" for at, options in enumerate(TYPED, 1)]
    texts += [f"{header} (sid:{at};)" for at, header in enumerate(HEADERS, len(TYPED) + 1)]
    texts += [f"alert ip any any -> any any (ip_proto:!6; sid:{len(texts) + 1};)"]
    theirs = {sid: names[kind] for sid, kind in types(tmp_path, texts).items()}
    ours = {rule.sid: rule.type for rule in parse_rules("\n".join(texts), "f", variables=VARIABLES).rules}
    assert ours == theirs


FLAGS = [
    "S",
    "SA",
    "0",
    "!0",
    "+S",
    "*PA",
    "!SA",
    "S,12",
    "S,CE",
    "!S,12",
    "S,S",
    "!S,S",
    "*SA",
    "*FA",
    "!S",
    "!A",
    "!R",
    "*PA,A",
    "+SA,12",
    "0,12",
    "*0",
    "+0",
    "0S",
    "S0",
    "SAF,F",
]


def test_flags_match_the_packets_that_suricata_matches(tmp_path):
    combinations = [0, 2, 16, 18, 3, 1, 0xC2, 0x42, 0x82, 0xFF, 0x52, 0x11, 0x13, 8, 0x18]
    packets = [tcp(f"10.0.0.{at}", "10.9.9.9", flags) for at, flags in enumerate(combinations, 1)]
    found, _ = alerts(
        tmp_path, [f"alert tcp any any -> any any (flags:{text}; sid:{at};)" for at, text in enumerate(FLAGS, 1)], packets
    )
    for at, text in enumerate(FLAGS, 1):
        conditions = one(f"flags:{text};").conditions
        ours = {flags for flags in combinations if all(holds(condition, flags) for condition in conditions)}
        assert ours == {flags for packet, flags in enumerate(combinations, 1) if found[packet, at]}, text


def holds(condition: Condition, value: int) -> bool:
    return any(low <= value & condition.mask <= high for low, high in condition.ranges) is not condition.negated


def test_the_stateless_stage_takes_flags_at_their_word():
    (rule,) = parse_rules("drop tcp any any -> any any (flags:!S; sid:1;)", "f", Where.STATELESS).rules
    assert rule.conditions == (Condition(PacketField.TCP_FLAGS, ((2, 2),), 2, negated=True),)


def test_the_parts_of_a_rule_arrive():
    rule = one(
        'msg:"a \\"b\\" \\; c"; flow:established,to_client; flowbits:isset,x|y; rev:4; classtype:network-scan;'
        " reference:cve,2021-1;"
        " metadata:owner net team, level high;"
    )
    assert (rule.action, rule.protocols, rule.message, rule.rev) == (Action.ALERT, frozenset({6}), 'a "b" ; c', 4)
    assert rule.flow is not None
    assert (rule.flow.direction, rule.flow.established) == (FlowDirection.TO_CLIENT, True)
    assert (rule.flowbits[0].kind, rule.flowbits[0].names) == (FlowbitKind.ISSET, ("x", "y"))
    assert (rule.classtype, rule.priority, bool(rule.category)) == ("network-scan", 3, True)
    assert rule.references == (("cve", "2021-1"),)
    assert rule.metadata == (("owner", "net team"), ("level", "high"))
    assert rule.span.line == 1


def test_icmp_is_both_versions():
    assert one("", "alert icmp any any -> any any").protocols == {1, 58}


def test_fields_of_ipv4_narrow_the_addresses_and_ip_proto_the_protocols():
    rule = one("tos:8; ip_proto:17;", "alert ip any any -> any any")
    assert rule.source.v6 == ()
    assert rule.protocols == {17}
    assert [condition.field for condition in rule.conditions] == [PacketField.TOS]


def test_a_rule_with_a_mistake_is_left_out_and_the_others_are_read():
    parsed = parse_rules(
        "# comment\n\nalert tcp any any -> any any (sid:1;)\nbad\n  pass ip any any -> any any (sid:2;)\n", "f"
    )
    assert [rule.sid for rule in parsed.rules] == [1, 2]
    assert [(each.code, each.span.line) for each in parsed.diagnostics] == [(Code.RULE_SYNTAX, 4)]
    assert parsed.rules[1].span.column == 3


def test_sids_are_counted_in_their_group_and_stage():
    text = "alert tcp any any -> any any (gid:2; sid:1;)\nalert tcp any any -> any any (sid:1;)"
    assert len(parse_rules(text, "f").rules) == 2


def test_interfaces_and_flowbits_are_numbered_in_order_of_appearance():
    parser = RuleParser()
    text = "\n".join(f"pass ip any any -> any any (interface:{name}; sid:{at};)" for at, name in enumerate(("b", "a", "b"), 1))
    rules = parser.read(logical_lines(text, "f"), Where.STATELESS).rules
    assert [rule.conditions[0].ranges[0][0] for rule in rules] == [1, 2, 1]
    assert tuple(parser.interfaces) == ("b", "a")


def test_nothing_takes_exponential_or_quadratic_time():
    nested = "[" * 5000 + "10.0.0.1" + "]" * 5000
    spaces = " " * 30_000
    for option in (
        "reference:url,a{0}b{0}",
        "flags:{0}x",
        "ttl:!{0}x",
        "msg:{0}x",
        "flowbits:set,{0}",
        "metadata:{0}",
        "ip_proto:!{0}?",
        "tos:{0}",
    ):
        assert parse_rules(f"alert ip any any -> any any ({option.format(spaces)}; sid:x;)", "f").diagnostics
    wide = "[" + ",".join(f"10.{at >> 8}.{at & 255}.0/24" for at in range(4000)) + "]"
    for text in (nested, "!" * 20000, "[!" * 900, "\\" * 60000, '"' * 60000, "(" * 60000, ";" * 60000, "a:" * 30000):
        assert parse_rules(f"alert tcp {text} any -> any any ({text} sid:1;)", "f").diagnostics
    assert parse_rules(f"alert tcp {wide} any -> any any (sid:1;)", "f").rules[0].source.v4 == (
        (10 << 24, (10 << 24) + 4000 * 256 - 1),
    )


def test_a_very_long_line_is_refused_by_its_length():
    (diagnostic,) = parse_rules("alert " + "x" * 100_000, "f").diagnostics
    assert diagnostic.code == Code.RULE_TOO_LONG


@pytest.mark.parametrize("keyword", ["fragbits:M", "fragoffset:>0"])
def test_the_stateless_stage_has_its_own_word_for_pieces(keyword):
    parsed = RuleParser().read(logical_lines(f"drop ip any any -> any any ({keyword}; sid:1;)", "f"), Where.STATELESS)
    assert "fragment:any" in parsed.diagnostics[0].hint


@pytest.mark.parametrize("option", ["interface:eth0", "inspect", "fragment:any"])
def test_another_system_s_rules_have_none_of_our_keywords(option):
    text = f"pass ip any any -> any any ({option}; sid:1;)"
    assert [each.code for each in RuleParser(foreign=True).read(logical_lines(text, "f"), Where.STATEFUL).diagnostics] == [
        "unknown-keyword"
    ]
