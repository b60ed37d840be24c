"""Variables: declared names, references to lists that the export does not hold, and the inheritance of HOME_NET."""

import pytest

from tests.formats.aws.made import codes, group, only, policy, read, refer, strings
from twinwall.formats.aws.options import AwsOptions

PREFIX_LIST = "arn:aws:ec2:us-east-1:111122223333:prefix-list/pl-0123456789abcdef0"
RULE = "pass ip $HOME_NET any -> $EXTERNAL_NET any (sid:1;)"


def nets(made_policy, body, options=AwsOptions()):  # noqa: B008 - frozen
    made = group("deep", {"RulesString": RULE}, **body)
    return read(policy(StatefulRuleGroupReferences=refer("deep"), **made_policy), made, options=options)


def variables(**sets):
    return {"RuleVariables": {"IPSets": {name: {"Definition": list(values)} for name, values in sets.items()}}}


def home(*values):
    return {"PolicyVariables": {"RuleVariables": {"HOME_NET": {"Definition": list(values)}}}}


def contains(addresses, *texts):
    from ipaddress import ip_address

    return [addresses.contains(ip_address(text).version, int(ip_address(text))) for text in texts]


def test_a_group_that_sets_home_net_alone_keeps_the_policys_external_net():
    (rule,) = nets(home("10.0.0.0/8"), variables(HOME_NET=["192.168.0.0/16"])).policy.stateful.rules
    assert contains(rule.source, "192.168.1.1", "10.1.1.1") == [True, False]
    assert contains(rule.destination, "192.168.1.1", "10.1.1.1") == [True, False]


def test_the_policys_home_net_beats_the_vpcs():
    (rule,) = nets(home("10.0.0.0/8"), {}, AwsOptions(home_net=("172.16.0.0/12",))).policy.stateful.rules
    assert contains(rule.source, "10.1.1.1", "172.16.1.1") == [True, False]


def test_the_vpcs_cidr_is_the_users_to_give():
    (rule,) = nets({}, {}, AwsOptions(home_net=("172.16.0.0/12",))).policy.stateful.rules
    assert contains(rule.source, "172.16.1.1", "10.1.1.1") == [True, False]
    assert contains(rule.destination, "172.16.1.1", "10.1.1.1") == [False, True]


def test_an_unknown_home_net_is_warned_of_once_in_a_group():
    found = only(nets({}, {}), "aws-home-net-unknown")
    assert "home_net" in found.hint
    both = f"{RULE}\n{RULE.replace('sid:1', 'sid:2')}"
    assert codes(strings(both, options=AwsOptions())) == ["aws-home-net-unknown"]
    assert codes(strings("pass ip any any -> any any (sid:1;)", options=AwsOptions())) == []


def test_a_home_net_that_is_no_network():
    assert codes(nets({}, {}, AwsOptions(home_net=("ten",)))) == ["aws-bad-address", "aws-home-net-unknown"]


def test_port_sets():
    body = {"RuleVariables": {"PortSets": {"WEB": {"Definition": ["80", "8080:8090"]}}}}
    (rule,) = strings("pass tcp any any -> any $WEB (sid:1;)", **body).policy.stateful.rules
    assert rule.destination_ports.ranges == ((80, 80), (8080, 8090))


@pytest.mark.parametrize("value", ["http", "70000", "9:8", "80-90", "", "٨٠"])
def test_a_port_that_is_none(value):
    body = {"RuleVariables": {"PortSets": {"WEB": {"Definition": [value]}}}}
    only(strings("pass tcp any any -> any $WEB (sid:1;)", **body), "aws-variable-definition")


@pytest.mark.parametrize("value", ["10.0.0.0/40", "example.com", "", "10.0.0.1-10.0.0.9", "fe80::1%eth0"])
def test_an_address_that_is_none(value):
    only(strings("pass tcp $WEB any -> any any (sid:1;)", **variables(WEB=[value])), "aws-variable-definition")


@pytest.mark.parametrize("name", ["1WEB", "WEB-1", "A" * 33, ""])
def test_a_name_that_is_none(name):
    only(strings("", **variables(**{name: ["10.0.0.0/8"]})), "aws-variable-name")


def test_an_undeclared_variable_is_diagnosed_at_its_place():
    text = "pass tcp $WEB any -> [10.0.0.1,$DB] any (sid:1;)"
    reading = strings(text)
    assert codes(reading) == ["aws-variable-undeclared"] * 2
    assert [each.span.column - 23 for each in reading.diagnostics] == [text.index("$WEB"), text.index("$DB")]


def test_context_sets_are_refused_by_name():
    body = {"RuleVariables": {"ContextSets": {"FLEET": {"ContextType": "VPC", "Values": ["vpc-1"]}}}}
    found = only(strings("pass tcp $FLEET any -> any any (sid:1;)", **body), "aws-context-sets")
    assert "FLEET" in found.message


def referring(*names):
    return {"ReferenceSets": {"IPSetReferences": {name: {"ReferenceArn": PREFIX_LIST} for name in names}}}


@pytest.mark.parametrize("key", ["PARTNERS", PREFIX_LIST])
def test_an_ip_set_reference_has_the_contents_that_the_user_gives(key):
    options = AwsOptions(home_net=("10.0.0.0/8",), references={key: ("192.0.2.0/24", "2001:db8:1::/48")})
    text = "pass tcp [@PARTNERS,$HOME_NET] any -> ![@PARTNERS] any (sid:1;)"
    (rule,) = strings(text, options=options, **referring("PARTNERS")).policy.stateful.rules
    assert contains(rule.source, "192.0.2.9", "2001:db8:1::9", "10.0.0.1", "198.51.100.1") == [True, True, True, False]
    assert contains(rule.destination, "192.0.2.9", "198.51.100.1") == [False, True]
    assert rule.text == text


def test_a_mistake_behind_a_reference_is_at_its_place():
    options = AwsOptions(home_net=("10.0.0.0/8",), references={"PARTNERS": ("192.0.2.0/24",)})
    text = "pass tcp @PARTNERS any -> @PARTNERS any (sid:1; nonsense:1;)"
    found = only(strings(text, options=options, **referring("PARTNERS")), "unknown-keyword")
    assert found.span.column - 23 == text.index("nonsense")


def test_a_reference_without_contents_says_how_to_get_them():
    found = only(strings("pass tcp @PARTNERS any -> any any (sid:1;)", **referring("PARTNERS")), "aws-reference-contents")
    assert "aws ec2 get-managed-prefix-list-entries --prefix-list-id pl-0123456789abcdef0" in found.hint
    body = {
        "ReferenceSets": {
            "IPSetReferences": {"X": {"ReferenceArn": "arn:aws:resource-groups:us-east-1:111122223333:group/web"}}
        }
    }
    assert "list-group-resources" in only(strings("", **body), "aws-reference-contents").hint


def test_references_have_limits():
    names = [f"R{number}" for number in range(6)]
    options = AwsOptions(references=dict.fromkeys(names, ("192.0.2.0/24",)))
    only(strings("", options=options, **referring(*names)), "aws-reference-count")
    many = AwsOptions(references={"R": tuple(f"10.0.{number // 256}.{number % 256}" for number in range(1001))})
    only(strings("", options=many, **referring("R")), "aws-reference-entries")
    bad = AwsOptions(references={"R": ("ten",)})
    only(strings("", options=bad, **referring("R")), "aws-bad-address")


def test_an_undeclared_reference_and_a_bad_name():
    only(strings("pass tcp @PARTNERS any -> any any (sid:1;)"), "aws-reference-undeclared")
    only(strings("", **referring("1X")), "aws-variable-name")
