"""MatchAttributes: every mistake in them, each at its place."""

import pytest

from tests.formats.aws.made import codes, only, stateless, stateless_rule

PORT = {"FromPort": 1, "ToPort": 2}


@pytest.mark.parametrize(
    ("attributes", "code", "words"),
    [
        ({"Sources": [{"AddressDefinition": "10.0.0.0/33"}]}, "aws-bad-address", "10.0.0.0/33"),
        ({"Sources": [{"AddressDefinition": "any"}]}, "aws-bad-address", "any"),
        ({"Destinations": [{"AddressDefinition": "10.0.0.0/255.0.0.0"}]}, "aws-bad-address", "255"),
        ({"Sources": [{}]}, "aws-missing", "AddressDefinition"),
        ({"Sources": [{"AddressDefinition": 5}]}, "aws-wrong-type", "a number"),
        ({"Sources": ["10.0.0.0/8"]}, "aws-wrong-type", "Sources"),
        ({"Sources": {}}, "aws-wrong-type", "an array"),
        ({"Protocols": [256]}, "aws-protocol", "256"),
        ({"Protocols": [-1]}, "aws-protocol", "-1"),
        ({"Protocols": ["6"]}, "aws-wrong-type", "a string"),
        ({"Protocols": [6.0]}, "aws-wrong-type", "whole number"),
        ({"Protocols": [True]}, "aws-wrong-type", "a boolean"),
        ({"Protocols": [6], "SourcePorts": [{"FromPort": 2, "ToPort": 1}]}, "aws-port-range", "above"),
        ({"Protocols": [6], "SourcePorts": [{"FromPort": 0, "ToPort": 65536}]}, "aws-port-range", "65536"),
        ({"Protocols": [6], "SourcePorts": [{"FromPort": 0}]}, "aws-missing", "ToPort"),
        ({"Protocols": [6], "TCPFlags": [{"Flags": ["syn"]}]}, "aws-vocabulary", "syn"),
    ],
)
def test_a_mistake_has_its_code(attributes, code, words):
    found = only(stateless(stateless_rule(**attributes)), code)
    assert words in found.message
    assert found.hint
    assert found.span.file == "1.json"


def test_the_place_is_that_of_the_value():
    found = only(stateless(stateless_rule(Protocols=[6, 300])), "aws-protocol")
    assert found.span.line == 19
    assert found.span.length == 3


def test_all_mistakes_of_a_rule_are_reported_together():
    reading = stateless(
        stateless_rule(Protocols=[999], Sources=[{"AddressDefinition": "x"}], SourcePorts=[{"FromPort": 9, "ToPort": 1}])
    )
    assert sorted(codes(reading)) == ["aws-bad-address", "aws-port-range", "aws-protocol"]


def test_a_null_setting_is_an_absent_one():
    reading = stateless(stateless_rule(Sources=None, Protocols=None))
    assert reading.policy.stateless.rules[0].protocols is None
