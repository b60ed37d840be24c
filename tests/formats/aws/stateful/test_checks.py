"""What the service refuses in rules, rule by rule."""

import pytest

from tests.formats.aws.made import codes, only, strings

PLAIN = "pass tcp any any -> any any (%s)"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (PLAIN % "rev:1;", "aws-sid-missing"),
        (PLAIN % "sid:1; gid:2;", "aws-gid"),
        (PLAIN % "sid:1; dataset:set,x;", "aws-keyword"),
        (PLAIN % "sid:1; filestore;", "aws-keyword"),
        (PLAIN % "sid:1; geoip:src,UK;", "aws-keyword"),
        (PLAIN % "sid:1; geoip:here,DE;", "aws-keyword"),
        ("reject udp any any -> any any (sid:1;)", "aws-reject-protocol"),
        ("reject ip any any -> any any (sid:1;)", "aws-reject-protocol"),
        ("rejectsrc icmp any any -> any any (sid:1;)", "aws-reject-protocol"),
        (f"{PLAIN % 'sid:1;'}\n{PLAIN % 'sid:01;'}", "aws-sid-twice"),
    ],
)
def test_refused(text, code):
    found = only(strings(text), code)
    assert found.message.startswith("deep, rule line ")
    assert found.hint


@pytest.mark.parametrize("option", ["priority:1;", "classtype:misc-activity;"])
def test_strict_order_refuses_what_orders_rules_otherwise(option):
    text = PLAIN % f"sid:1; {option}"
    assert only(strings(text, strict=True), "aws-strict-priority").message.endswith("under strict order")
    assert codes(strings(text)) == []


def test_reject_of_tcp_is_accepted():
    assert codes(strings("reject tcp any any -> any any (sid:1;)")) == []


def test_pcre_needs_company():
    assert "aws-pcre" in codes(strings(PLAIN % 'pcre:"/a/"; sid:1;'))
    assert "aws-pcre" not in codes(strings(PLAIN % 'content:"a"; pcre:"/a/"; sid:1;'))


def test_a_keyword_that_the_guide_calls_unsupported_is_named_once():
    assert codes(strings(PLAIN % "threshold:type limit, track by_src, count 1, seconds 60; sid:1;")) == ["unsupported-keyword"]


def test_a_rule_is_measured_with_its_variables_expanded():
    entries = [f"10.{high}.{low}.0/24" for high in range(4) for low in range(200)]
    body = {"RuleVariables": {"IPSets": {"MANY": {"Definition": entries}}}}
    only(strings("pass tcp $MANY any -> any any (sid:1;)", **body), "aws-rule-length")
    assert codes(strings("pass tcp any any -> any any (sid:1;)", **body)) == []


def test_semicolons_in_quotes_are_escaped_and_hide_nothing():
    only(strings(PLAIN % 'msg:"a\\; gid:3"; sid:1; gid:4;'), "aws-gid")


def test_a_line_that_is_no_rule():
    reading = strings("this is not a rule")
    assert reading.policy is None
    assert set(codes(reading)) == {"aws-sid-missing", "rule-syntax"}
