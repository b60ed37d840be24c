"""Domain lists: the rules that the service generates from them."""

import pytest

from tests.formats.aws.made import codes, only, source
from twinwall.formats.aws.stateful.domain_list import DomainList, generate_rules
from twinwall.policy.model import Order


def lines(kind, types, *targets, order=Order.ACTION, strict_tail=False):
    return generate_rules(DomainList(kind, types, targets), order, strict_tail=strict_tail).split("\n")


def test_an_allow_list_of_both_protocols():
    found = lines("ALLOWLIST", ("TLS_SNI", "HTTP_HOST"), "a.example", ".b.example")
    head, tail = "$HOME_NET any -> $EXTERNAL_NET any", "priority:1; flow:to_server, established;"
    assert found == [
        f'pass tls {head} (ssl_state:client_hello; tls.sni; content:"a.example"; startswith; nocase; endswith; '
        f'msg:"matching TLS allowlisted FQDNs"; {tail} sid:1; rev:1;)',
        f'pass tls {head} (ssl_state:client_hello; tls.sni; dotprefix; content:".b.example"; nocase; endswith; '
        f'msg:"matching TLS allowlisted FQDNs"; {tail} sid:2; rev:1;)',
        f'pass http {head} (http.host; content:"a.example"; startswith; endswith; '
        f'msg:"matching HTTP allowlisted FQDNs"; {tail} sid:3; rev:1;)',
        f'pass http {head} (http.host; dotprefix; content:".b.example"; endswith; '
        f'msg:"matching HTTP allowlisted FQDNs"; {tail} sid:4; rev:1;)',
        f'drop tls {head} (ssl_state:client_hello; msg:"not matching any TLS allowlisted FQDNs"; {tail} sid:5; rev:1;)',
        f'drop http {head} (http.header_names; content:"|0d 0a|"; startswith; '
        f'msg:"not matching any HTTP allowlisted FQDNs"; {tail} sid:6; rev:1;)',
    ]


@pytest.mark.parametrize(("kind", "action"), [("DENYLIST", "drop"), ("REJECTLIST", "reject"), ("ALERTLIST", "alert")])
def test_other_lists_have_their_action_and_no_tail(kind, action):
    (line,) = lines(kind, ("TLS_SNI",), "a.example")
    assert line.startswith(f"{action} tls ")


def test_strict_order_has_no_priority_and_a_tail_only_if_asked():
    (line,) = lines("ALLOWLIST", ("TLS_SNI",), "a.example", order=Order.STRICT)
    assert "priority" not in line
    first, tail = lines("ALLOWLIST", ("TLS_SNI",), "a.example", order=Order.STRICT, strict_tail=True)
    assert first == line
    assert tail.startswith("drop tls ")


PLAIN = {"Targets": ["a.example"], "TargetTypes": ["TLS_SNI"], "GeneratedRulesType": "DENYLIST"}


@pytest.mark.parametrize("target", ["*.example", "https://a.example", "", ".", "a example", 'a"; sid:9;', "é.example"])
def test_a_target_that_is_no_name(target):
    only(source({"RulesSourceList": {**PLAIN, "Targets": [target]}}), "aws-domain-target")


def test_a_target_twice():
    only(source({"RulesSourceList": {**PLAIN, "Targets": ["a.example", "a.example"]}}), "aws-domain-target")


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("Targets", None, "aws-missing"),
        ("TargetTypes", ["QUIC_SNI"], "aws-vocabulary"),
        ("TargetTypes", None, "aws-missing"),
        ("GeneratedRulesType", "ALLOW", "aws-vocabulary"),
        ("GeneratedRulesType", None, "aws-missing"),
    ],
)
def test_a_mistake_has_its_code(member, value, code):
    only(source({"RulesSourceList": {**PLAIN, member: value}}), code)


@pytest.mark.parametrize("kind", ["ALLOWLIST", "DENYLIST", "REJECTLIST", "ALERTLIST"])
@pytest.mark.parametrize("types", [["TLS_SNI", "HTTP_HOST"], ["AWS_ROUTE_53_RESOLVED_DOMAIN"]])
def test_content_is_not_inspected_yet_and_one_diagnostic_says_so(kind, types):
    reading = source({"RulesSourceList": {**PLAIN, "GeneratedRulesType": kind, "TargetTypes": types}})
    assert codes(reading) == ["aws-domain-unsupported"]
    assert kind in reading.diagnostics[0].message
