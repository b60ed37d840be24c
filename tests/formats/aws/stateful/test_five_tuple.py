"""5-tuple rules: their translation to rule text, and what has no translation."""

import pytest

from tests.formats.aws.made import codes, only, source
from twinwall.policy.model import Action, RuleType


def tuple_rule(sid="1", action="PASS", options=(), **header):
    plain = {
        "Protocol": "TCP",
        "Source": "ANY",
        "SourcePort": "ANY",
        "Direction": "FORWARD",
        "Destination": "ANY",
        "DestinationPort": "ANY",
    }
    given = [{"Keyword": "sid", "Settings": [sid]}] if sid else []
    return {"Action": action, "Header": {**plain, **header}, "RuleOptions": [*given, *options]}


def read_one(*rules, **more):
    return source({"StatefulRules": list(rules)}, **more)


def test_a_rule_is_written_as_the_service_writes_it():
    options = [
        {"Keyword": "msg", "Settings": ['"no telemetry"']},
        {"Keyword": "flow", "Settings": ["to_server", "established"]},
    ]
    reading = read_one(
        tuple_rule("42", "DROP", options, Source="$HOME_NET", Destination="203.0.113.0/24", DestinationPort="1990:1994")
    )
    (rule,) = reading.policy.stateful.rules
    assert rule.text == (
        'drop tcp $HOME_NET any -> 203.0.113.0/24 1990:1994 (sid:42; msg:"no telemetry"; flow:to_server,established;)'
    )
    assert (rule.action, rule.sid, rule.type) == (Action.DROP, 42, RuleType.PACKET)
    assert (rule.span.file, rule.span.line) == ("1.json", 12)


def test_a_rule_with_a_sid_alone_is_ip_only():
    assert read_one(tuple_rule()).policy.stateful.rules[0].type is RuleType.IP_ONLY


def test_any_direction_is_both_ways():
    assert read_one(tuple_rule(Direction="ANY")).policy.stateful.rules[0].bidirectional


def test_lists_in_brackets_may_hold_spaces():
    (rule,) = read_one(tuple_rule(Source="[10.0.0.0/8, !10.1.0.0/16]", DestinationPort="[80, 443]")).policy.stateful.rules
    assert rule.destination_ports.ranges == ((80, 80), (443, 443))


def test_a_keyword_without_settings():
    assert read_one(tuple_rule(options=[{"Keyword": "noalert"}])).policy.stateful.rules[0].noalert


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({**tuple_rule(), "Action": "BLOCK"}, "aws-vocabulary"),
        ({**tuple_rule(), "Action": None}, "aws-missing"),
        ({**tuple_rule(), "Header": None}, "aws-missing"),
        ({**tuple_rule(), "Header": "tcp"}, "aws-wrong-type"),
        (tuple_rule(Protocol="GRE"), "aws-vocabulary"),
        (tuple_rule(Protocol=None), "aws-missing"),
        (tuple_rule(Direction="->"), "aws-vocabulary"),
        (tuple_rule(Source="10.0.0.1 or so"), "aws-header"),
        (tuple_rule(Source="any any -> any any (sid:9;) #"), "aws-header"),
        (tuple_rule(DestinationPort=""), "aws-header"),
        (tuple_rule(DestinationPort=80), "aws-wrong-type"),
        (tuple_rule(options=[{"Keyword": "a b"}]), "aws-header"),
        (tuple_rule(options=[{"Keyword": "msg", "Settings": ['"a\nb"']}]), "aws-header"),
        (tuple_rule(options=[{}]), "aws-missing"),
        (tuple_rule(sid=""), "aws-sid-missing"),
        (tuple_rule(action="REJECT", Protocol="UDP"), "aws-reject-protocol"),
        (tuple_rule(Protocol="HTTP"), "unsupported-protocol"),
    ],
)
def test_a_mistake_has_its_code(rule, code):
    reading = read_one(rule)
    found = only(reading, code)
    assert reading.policy is None
    assert found.span.line >= 12


def test_a_mistake_points_at_its_own_rule():
    reading = read_one(tuple_rule("1"), tuple_rule("2", options=[{"Keyword": "nonsense", "Settings": ["x"]}]), tuple_rule("1"))
    twice, unknown = reading.diagnostics
    assert (twice.code, unknown.code) == ("aws-sid-twice", "unknown-keyword")
    assert "rule 3" in twice.message
    assert "rule 2" in unknown.message
    assert twice.span.line > unknown.span.line > 12


def test_strict_order_refuses_priority_in_options_too():
    rule = tuple_rule(options=[{"Keyword": "priority", "Settings": ["1"]}])
    assert codes(read_one(rule, strict=True)) == ["aws-strict-priority"]
