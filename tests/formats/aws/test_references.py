"""References to rule groups: priorities, kinds, Regions, numbers, capacities, and the file that an ARN means."""

import pytest

from tests.formats.aws.made import arn, codes, group, only, policy, read, refer, stateless_group, stateless_rule
from twinwall.policy.model import Action

STRICT = {"RuleOrder": "STRICT_ORDER"}
MANAGED = "arn:aws:network-firewall:us-east-1:aws-managed:stateful-rulegroup/ThreatSignaturesDoSActionOrder"


def ruled(name, text="pass ip any any -> any any (sid:1;)", **more):
    return group(name, {"RulesString": text}, **more)


def strict_policy(references):
    return policy(StatefulRuleGroupReferences=references, StatefulEngineOptions=STRICT)


def test_a_missing_group_names_the_command_that_exports_it():
    found = only(read(policy(StatefulRuleGroupReferences=refer("deep"))), "aws-group-missing")
    assert f"aws network-firewall describe-rule-group --rule-group-arn {arn('deep')}" in found.hint
    assert (found.span.file, found.span.line) == ("0.json", 15)


def test_a_missing_managed_group_has_its_own_code():
    found = only(read(policy(StatefulRuleGroupReferences=[{"ResourceArn": MANAGED}])), "aws-managed-missing")
    assert "ThreatSignaturesDoSActionOrder" in found.message


def test_a_group_with_another_accounts_arn_is_not_the_one():
    made = ruled("deep")
    made["RuleGroupResponse"]["RuleGroupArn"] = arn("deep").replace("111122223333", "444455556666")
    assert codes(read(policy(StatefulRuleGroupReferences=refer("deep")), made)) == ["aws-group-missing", "aws-unused"]


def test_a_body_alone_is_found_by_the_files_name():
    made = policy(StatefulRuleGroupReferences=refer("1"))
    assert len(read(made, ruled("x")["RuleGroup"]).policy.stateful.rules) == 1


def test_a_response_without_arn_is_found_by_its_name():
    made = ruled("deep")
    del made["RuleGroupResponse"]["RuleGroupArn"]
    assert len(read(policy(StatefulRuleGroupReferences=refer("deep")), made).policy.stateful.rules) == 1


def test_two_files_for_one_group_are_ambiguous():
    reading = read(policy(StatefulRuleGroupReferences=refer("deep")), ruled("deep"), ruled("deep"))
    found = next(each for each in reading.diagnostics if each.code == "aws-group-ambiguous")
    assert "1.json, 2.json" in found.message


def test_groups_of_one_name_and_two_kinds_are_told_apart():
    made = policy(
        StatefulRuleGroupReferences=refer("1"), StatelessRuleGroupReferences=refer("1", kind="stateless", priorities=[1])
    )
    stateful, stateless = ruled("1"), stateless_group("1", stateless_rule())
    del stateful["RuleGroupResponse"]["RuleGroupArn"]
    del stateless["RuleGroupResponse"]["RuleGroupArn"]
    found = read(made, stateful, stateless)
    assert found.diagnostics == ()


def test_a_group_that_the_policy_does_not_use_is_warned_of():
    reading = read(policy(), ruled("idle"))
    assert "idle" in only(reading, "aws-unused").message
    assert reading.policy is not None


def test_strict_order_needs_priorities_and_obeys_them():
    groups = [ruled(name, StatefulRuleOptions=STRICT) for name in ("a", "b")]
    reading = read(strict_policy(refer("a", "b", priorities=[20, 10])), *groups)
    assert [rule.group for rule in reading.policy.stateful.rules] == ["b", "a"]
    assert codes(read(strict_policy(refer("a")), groups[0])) == ["aws-priority-missing"]


def test_action_order_forbids_priorities():
    only(read(policy(StatefulRuleGroupReferences=refer("a", priorities=[1])), ruled("a")), "aws-priority-forbidden")


def test_action_order_puts_pass_before_drop_over_all_groups():
    first = ruled("a", 'drop ip any any -> any any (msg:"d"; sid:1;)')
    second = ruled("b", "alert ip any any -> any any (sid:1;)\npass ip any any -> any any (sid:2;)")
    rules = read(policy(StatefulRuleGroupReferences=refer("a", "b")), first, second).policy.stateful.rules
    assert [(rule.action, rule.group) for rule in rules] == [(Action.PASS, "b"), (Action.DROP, "a"), (Action.ALERT, "b")]


@pytest.mark.parametrize("policy_order", [None, "DEFAULT_ACTION_ORDER", "STRICT_ORDER"])
@pytest.mark.parametrize("group_order", [None, "DEFAULT_ACTION_ORDER", "STRICT_ORDER"])
def test_the_orders_of_policy_and_group_must_be_the_same(policy_order, group_order):
    strict = policy_order == "STRICT_ORDER"
    made = policy(StatefulRuleGroupReferences=refer("a", priorities=[1] if strict else None))
    if policy_order:
        made["FirewallPolicy"]["StatefulEngineOptions"] = {"RuleOrder": policy_order}
    given = ruled("a", **({"StatefulRuleOptions": {"RuleOrder": group_order}} if group_order else {}))
    same = (group_order == "STRICT_ORDER") == strict
    assert codes(read(made, given)) == ([] if same else ["aws-order-mismatch"])


def test_priorities_are_unique_in_a_list_and_in_range():
    groups = [ruled(name, StatefulRuleOptions=STRICT) for name in ("a", "b")]
    assert codes(read(strict_policy(refer("a", "b", priorities=[5, 5])), *groups)) == ["aws-priority-twice"]
    assert codes(read(strict_policy(refer("a", priorities=[0])), groups[0])) == ["aws-priority-range"]
    assert codes(read(strict_policy(refer("a", priorities=[65536])), groups[0])) == ["aws-priority-range"]


def test_a_stateless_reference_needs_a_priority():
    made = policy(StatelessRuleGroupReferences=refer("fast", kind="stateless"))
    only(read(made, stateless_group("fast")), "aws-priority-missing")


def test_the_same_group_twice():
    made = strict_policy(refer("a", "a", priorities=[1, 2]))
    only(read(made, ruled("a", StatefulRuleOptions=STRICT)), "aws-reference-twice")


def test_at_most_20_references():
    names = [f"g{number}" for number in range(21)]
    groups = [ruled(name) for name in names]
    assert read(policy(StatefulRuleGroupReferences=refer(*names[:20])), *groups[:20]).diagnostics == ()
    assert codes(read(policy(StatefulRuleGroupReferences=refer(*names)), *groups)) == ["aws-too-many-references"]


def test_a_stateless_group_among_stateful_ones():
    made = policy(StatefulRuleGroupReferences=refer("fast", kind="stateless"))
    assert codes(read(made, stateless_group("fast"))) == ["aws-reference-kind", "aws-group-type"]


def test_a_file_whose_type_is_not_its_arns():
    made = stateless_group("deep")
    made["RuleGroupResponse"]["RuleGroupArn"] = arn("deep")
    only(read(policy(StatefulRuleGroupReferences=refer("deep")), made), "aws-group-type")


def test_a_group_of_another_region():
    made = ruled("deep")
    other = arn("deep").replace("us-east-1", "eu-west-1")
    made["RuleGroupResponse"]["RuleGroupArn"] = other
    only(read(policy(StatefulRuleGroupReferences=[{"ResourceArn": other}]), made), "aws-reference-region")


@pytest.mark.parametrize("text", ["deep", "arn:aws:s3:::bucket", ""])
def test_a_text_that_is_no_arn(text):
    assert codes(read(policy(StatefulRuleGroupReferences=[{"ResourceArn": text}]))) == ["aws-bad-arn"]


def test_a_reference_without_arn():
    assert codes(read(policy(StatefulRuleGroupReferences=[{}]))) == ["aws-missing"]
    assert codes(read(policy(StatefulRuleGroupReferences=[{"ResourceArn": 5}]))) == ["aws-wrong-type"]


def managed():
    made = ruled("M", "drop ip any any -> any any (sid:1;)\npass ip any any -> any any (sid:2;)")
    made["RuleGroupResponse"]["RuleGroupArn"] = MANAGED
    return made


def test_override_turns_a_managed_groups_drops_into_alerts():
    reference = {"ResourceArn": MANAGED, "Override": {"Action": "DROP_TO_ALERT"}, "DeepThreatInspection": True}
    reading = read(policy(StatefulRuleGroupReferences=[reference]), managed())
    assert [(rule.sid, rule.action) for rule in reading.policy.stateful.rules] == [(2, Action.PASS), (1, Action.ALERT)]
    assert codes(reading) == ["aws-deep-inspection"]


def test_override_is_for_managed_groups_only():
    made = policy(StatefulRuleGroupReferences=[{"ResourceArn": arn("a"), "Override": {"Action": "DROP_TO_ALERT"}}])
    only(read(made, ruled("a")), "aws-override-own")


def test_capacities():
    references = refer("a", "b", kind="stateless", priorities=[1, 2])
    made = policy(StatelessRuleGroupReferences=references)
    groups = [stateless_group("a", capacity=20_000), stateless_group("b", capacity=10_001)]
    assert "30001" in only(read(made, *groups), "aws-capacity-sum").message
    groups[0]["RuleGroupResponse"]["Capacity"] = 30_001
    assert set(codes(read(made, *groups))) == {"aws-capacity", "aws-capacity-sum"}
    groups[0]["RuleGroupResponse"]["Capacity"] = "many"
    assert codes(read(made, *groups)) == ["aws-wrong-type"]
    assert codes(read(policy(StatefulRuleGroupReferences=refer("a")), ruled("a", capacity=30_001))) == ["aws-capacity"]
