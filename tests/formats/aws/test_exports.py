"""Which file is what."""

import json

import pytest

from tests.formats.aws.made import codes, group, only, policy, read, stateless_group


@pytest.mark.parametrize("document", [{}, [], 5, {"SecurityGroups": []}, {"Rules": ""}])
def test_a_foreign_file(document):
    assert codes(read(policy(), document)) == ["aws-foreign"]


@pytest.mark.parametrize("member", ["FirewallPolicyV2", "FirewallRuleGroup", "IpsRuleGroup"])
def test_the_next_generation_is_refused_by_name(member):
    found = only(read({"UpdateToken": "t", member: {}}), "aws-next-generation")
    assert member in found.message


@pytest.mark.parametrize("kind", ["FIREWALL", "IPS"])
def test_next_generation_types_are_refused_by_name(kind):
    made = group("a", {"RulesString": ""})
    made["RuleGroupResponse"]["Type"] = kind
    assert kind in only(read(policy(), made), "aws-next-generation").message


def test_a_type_that_the_service_does_not_have():
    made = group("a", {"RulesString": ""})
    made["RuleGroupResponse"]["Type"] = "STATEFULL"
    assert codes(read(policy(), made)) == ["aws-vocabulary", "aws-unused"]


def test_no_policy_and_several():
    only(read(stateless_group("a")), "aws-no-policy")
    only(read(), "aws-no-policy")
    found = only(read(policy(), policy()), "aws-several-policies")
    assert (found.span.file, "0.json" in found.message) == ("1.json", True)


def test_a_response_without_body():
    for member in ("FirewallPolicy", "RuleGroup"):
        made = [policy(), stateless_group("a")]
        made[member == "RuleGroup"].pop(member)
        assert "aws-missing" in codes(read(*made))


def test_mistakes_of_all_files_come_in_one_go():
    bad = policy(StatelessDefaultActions=[], StatefulDefaultActions=["aws:drop_strict"])
    reading = read(bad, "{", {"what": 1}, json.dumps({"a": 1})[:-1] + ', "a": 2}')
    found = {(each.span.file, each.code) for each in reading.diagnostics}
    assert found >= {
        ("0.json", "aws-standard-action"),
        ("0.json", "aws-default-not-strict"),
        ("1.json", "json-syntax"),
        ("2.json", "aws-foreign"),
        ("3.json", "json-duplicate-member"),
    }


def test_unknown_members_are_ignored():
    made = policy(SomethingNew={"Deep": [1]})
    made["FirewallPolicyResponse"]["AlsoNew"] = True
    assert read(made).diagnostics == ()
