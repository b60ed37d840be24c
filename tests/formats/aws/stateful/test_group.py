"""Stateful groups: one body, its order, and its rules."""

import pytest

from tests.formats.aws.made import group, only, policy, read, refer, source, strings
from twinwall.policy.model import Action, RuleType


def test_a_rules_string_becomes_rules_that_know_their_place():
    reading = strings('# web\n\npass tcp $HOME_NET any -> any 443 (msg:"say \\"hi\\""; flow:to_server; sid:7;)')
    (rule,) = reading.policy.stateful.rules
    assert (rule.action, rule.sid, rule.group, rule.type) == (Action.PASS, 7, "deep", RuleType.PACKET)
    assert rule.source.v4 == ((0x0A000000, 0x0AFFFFFF),)
    assert rule.text.startswith("pass tcp $HOME_NET any -> any 443")
    # The string begins in column 23 of line 11; "# web\n\n" takes nine characters of source.
    assert str(rule.span) == "1.json:11:32"


def test_a_mistake_in_a_rule_names_the_line_and_points_into_the_string():
    text = 'alert ip any any -> any any (msg:"a \\"b\\" c"; sid:1;)\npass tcp any any => any 80 (sid:2;)'
    found = only(strings(text), "bad-direction")
    assert "deep, rule line 2" in found.message
    line = (
        23 + len(text.split("\n", maxsplit=1)[0]) + 2 + 8
    )  # the line break takes two characters; 2 quotes and 2 backslash pairs
    assert found.span.line == 11
    assert found.span.column > line


def test_windows_line_ends_are_line_ends():
    reading = strings("pass ip any any -> any any (sid:1;)\r\ndrop ip any any -> any any (sid:2;)\r\n")
    assert [rule.sid for rule in reading.policy.stateful.rules] == [1, 2]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "aws-source-bodies"),
        ({"StatelessRulesAndCustomActions": {}}, "aws-source-bodies"),
        ({"RulesString": "", "StatefulRules": []}, "aws-source-bodies"),
        ({"RulesString": 5}, "aws-wrong-type"),
        ([], "aws-wrong-type"),
        (None, "aws-missing"),
    ],
)
def test_exactly_one_body(body, code):
    only(source(body), code)


def test_sids_are_unique_in_a_group_and_not_across_groups():
    rule = "pass ip any any -> any any (sid:1;)"
    found = only(strings(f"{rule}\n{rule}"), "aws-sid-twice")
    assert "rule line 1" in found.message
    groups = [group(name, {"RulesString": rule}) for name in ("a", "b")]
    assert len(read(policy(StatefulRuleGroupReferences=refer("a", "b")), *groups).policy.stateful.rules) == 2


def test_flowbits_are_named_in_order_of_appearance():
    text = (
        "alert tcp any any -> any any (flowbits:set,second; sid:1;)\ndrop tcp any any -> any any (flowbits:isset,first; sid:2;)"
    )
    assert strings(text, strict=True).policy.flowbits == ("second", "first")


def test_a_string_larger_than_two_million_bytes():
    rules = "\n".join(f"pass ip any any -> any any (sid:{number};)" for number in range(1, 1_001))
    filling = "\n#" + "é" * 1_000  # two bytes each
    size = len((rules + filling).encode())
    assert len(strings(rules + filling + "x" * (2_000_000 - size)).policy.stateful.rules) == 1_000
    only(strings(rules + filling + "x" * (2_000_001 - size)), "aws-rules-size")


def test_a_domain_list_is_refused_by_name():
    body = {"Targets": [".example.com", "example.org"], "TargetTypes": ["TLS_SNI"], "GeneratedRulesType": "DENYLIST"}
    found = only(source({"RulesSourceList": body}), "aws-domain-unsupported")
    assert "deep" in found.message
    assert "DENYLIST of 2 names" in found.message
