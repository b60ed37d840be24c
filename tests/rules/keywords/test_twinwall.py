import pytest

from tests.rules.keywords.rule import read
from twinwall.policy.model import Condition, PacketField, RuleType
from twinwall.rules.keyword import Where
from twinwall.rules.parser import parse_rules

ANY = "any any -> any any"


def test_a_stateful_rule_may_ask_for_the_interface_and_still_decides_the_flow():
    rule, diagnostics = read("interface:!eth0;", f"pass tcp {ANY}")
    assert diagnostics == []
    assert rule.conditions == (Condition(PacketField.INTERFACE, ((1, 1),), negated=True),)
    assert rule.type is RuleType.IP_ONLY


@pytest.mark.parametrize("more", ["", "flow:to_server;", "flags:S;", "flow:established; dsize:>0;"])
def test_an_inspected_rule_is_asked_of_every_packet_and_decides_the_flow(more: str):
    rule, diagnostics = read(f"{more} inspect;", f"drop tcp {ANY}")
    assert diagnostics == []
    assert (rule.inspect, rule.type) == (True, RuleType.LIKE_IP_ONLY)


def test_a_rule_is_not_inspected_unless_it_says_so():
    assert not read("", f"pass tcp {ANY}")[0].inspect


def test_an_alert_rule_cannot_be_inspected():
    text = f'alert tcp {ANY} (msg:"x"; inspect; sid:1;)'
    (diagnostic,) = parse_rules(text, "f").diagnostics
    assert (diagnostic.code, text[diagnostic.span.column - 1 :][:7]) == ("conflict", "inspect")
    assert "pass or drop" in diagnostic.hint


@pytest.mark.parametrize(("options", "code"), [("inspect:1;", "bad-value"), ("inspect; inspect;", "conflict")])
def test_inspect_stands_alone_and_once(options: str, code: str):
    assert [each.code for each in read(options, f"pass tcp {ANY}")[1]] == [code]


def test_the_stateless_stage_inspects_nothing():
    (diagnostic,) = parse_rules(f"pass tcp {ANY} (inspect; sid:1;)", "f", Where.STATELESS).diagnostics
    assert (diagnostic.code, diagnostic.hint) == ("stage-keyword", "use it in the stateful stage")


@pytest.mark.parametrize("name", ["", "a b", "!"])
def test_what_no_interface_is_called(name: str):
    assert [each.code for each in read(f"interface:{name};", f"pass tcp {ANY}")[1]] == ["bad-value"]
