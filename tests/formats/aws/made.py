"""Exports made by hand: the smallest policy and groups that load, to be changed by each test."""

import json

from twinwall.formats.aws.options import AwsOptions
from twinwall.formats.aws.reader import AwsReading, examine_aws

ACCOUNT = "arn:aws:network-firewall:us-east-1:111122223333"
HOME = AwsOptions(home_net=("10.0.0.0/8",))


def arn(name, kind="stateful"):
    return f"{ACCOUNT}:{kind}-rulegroup/{name}"


def policy(**members):
    body = {
        "StatelessDefaultActions": ["aws:forward_to_sfe"],
        "StatelessFragmentDefaultActions": ["aws:drop"],
        **members,
    }
    response = {"FirewallPolicyName": "edge", "FirewallPolicyArn": f"{ACCOUNT}:firewall-policy/edge"}
    return {"UpdateToken": "token", "FirewallPolicyResponse": response, "FirewallPolicy": body}


def refer(*names, kind="stateful", priorities=None):
    priorities = priorities or [None] * len(names)
    return [
        {"ResourceArn": arn(name, kind), **({} if priority is None else {"Priority": priority})}
        for name, priority in zip(names, priorities, strict=True)
    ]


def group(name, source, kind="STATEFUL", capacity=100, **body):
    word = "stateless" if kind == "STATELESS" else "stateful"
    response = {"RuleGroupName": name, "RuleGroupArn": arn(name, word), "Type": kind, "Capacity": capacity}
    return {"UpdateToken": "token", "RuleGroupResponse": response, "RuleGroup": {"RulesSource": source, **body}}


def stateless_rule(priority=10, actions=("aws:pass",), **attributes):
    return {"Priority": priority, "RuleDefinition": {"MatchAttributes": attributes, "Actions": list(actions)}}


def stateless_group(name, *rules, custom=(), **more):
    source = {"StatelessRulesAndCustomActions": {"StatelessRules": list(rules), "CustomActions": list(custom)}}
    return group(name, source, "STATELESS", **more)


def stateless(*rules, options=HOME, **more) -> AwsReading:
    """Read a policy with one stateless group."""
    references = refer("fast", kind="stateless", priorities=[1])
    return read(policy(StatelessRuleGroupReferences=references), stateless_group("fast", *rules, **more), options=options)


def strings(text, *, strict=False, options=HOME, **body) -> AwsReading:
    """Read a policy with one stateful group of rule text."""
    return source({"RulesString": text}, strict=strict, options=options, **body)


def source(rules_source, *, strict=False, options=HOME, **body) -> AwsReading:
    """Read a policy with one stateful group."""
    order = {"RuleOrder": "STRICT_ORDER"} if strict else {}
    made = policy(
        StatefulRuleGroupReferences=refer("deep", priorities=[1] if strict else None),
        **({"StatefulEngineOptions": order} if strict else {}),
    )
    more = {"StatefulRuleOptions": order, **body} if strict else body
    return read(made, group("deep", rules_source, **more), options=options)


def read(*documents, options=HOME) -> AwsReading:
    """Read documents given as data or as text; the files are called 0.json, 1.json, …"""
    texts = [each if isinstance(each, str) else json.dumps(each, indent=2) for each in documents]
    return examine_aws([(f"{number}.json", text) for number, text in enumerate(texts)], options)


def codes(reading):
    return [each.code for each in reading.diagnostics]


def only(reading, code):
    """The one diagnostic of a code; there must be no other of any code."""
    assert codes(reading) == [code], reading.diagnostics
    return reading.diagnostics[0]


def custom_action(name="Count", value="seen"):
    return {"ActionName": name, "ActionDefinition": {"PublishMetricAction": {"Dimensions": [{"Value": value}]}}}
