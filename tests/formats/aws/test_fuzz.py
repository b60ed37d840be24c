"""Nothing that a file can hold makes the reader raise: arbitrary texts, arbitrary JSON, and exports with anything changed."""

import copy
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.formats.aws.made import arn, custom_action, group, policy, read, refer, stateless_group, stateless_rule
from twinwall.policy.diagnostic import Severity
from twinwall.policy.model import Policy

WORDS = st.sampled_from(
    [
        "aws:pass",
        "aws:drop",
        "STRICT_ORDER",
        "DROP",
        "10.0.0.0/8",
        "$HOME_NET",
        "@R",
        "pass ip any any -> any any (sid:1;)",
        arn("deep"),
        "",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8
)
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

EXPORT = [
    policy(
        StatelessRuleGroupReferences=refer("fast", kind="stateless", priorities=[1]),
        StatefulRuleGroupReferences=refer("deep", "tuples", "names", priorities=[1, 2, 3]),
        StatefulEngineOptions={"RuleOrder": "STRICT_ORDER", "FlowTimeouts": {"TcpIdleTimeoutSeconds": 60}},
        StatefulDefaultActions=["aws:drop_established", "aws:alert_established"],
        StatelessCustomActions=[custom_action()],
        PolicyVariables={"RuleVariables": {"HOME_NET": {"Definition": ["10.0.0.0/8"]}}},
    ),
    stateless_group(
        "fast",
        stateless_rule(
            Protocols=[6],
            Sources=[{"AddressDefinition": "10.0.0.0/8"}],
            DestinationPorts=[{"FromPort": 1, "ToPort": 2}],
            TCPFlags=[{"Flags": ["SYN"], "Masks": ["SYN"]}],
        ),
        custom=[custom_action()],
    ),
    group(
        "deep",
        {"RulesString": "pass tcp $WEB any -> @R $P (flow:to_server; sid:1;)"},
        RuleVariables={"IPSets": {"WEB": {"Definition": ["10.0.0.1"]}}, "PortSets": {"P": {"Definition": ["80"]}}},
        ReferenceSets={"IPSetReferences": {"R": {"ReferenceArn": "arn:aws:ec2:us-east-1:111122223333:prefix-list/pl-1"}}},
        StatefulRuleOptions={"RuleOrder": "STRICT_ORDER"},
    ),
    group(
        "tuples",
        {
            "StatefulRules": [
                {
                    "Action": "PASS",
                    "Header": {
                        "Protocol": "TCP",
                        "Source": "ANY",
                        "SourcePort": "ANY",
                        "Direction": "FORWARD",
                        "Destination": "ANY",
                        "DestinationPort": "80",
                    },
                    "RuleOptions": [{"Keyword": "sid", "Settings": ["1"]}],
                }
            ]
        },
    ),
    group(
        "names", {"RulesSourceList": {"Targets": ["a.example"], "TargetTypes": ["TLS_SNI"], "GeneratedRulesType": "ALLOWLIST"}}
    ),
]


def check(reading):
    errors = [each for each in reading.diagnostics if each.severity is Severity.ERROR]
    assert isinstance(reading.policy, Policy) != bool(errors)
    assert all(each.span.line >= 1 and each.span.column >= 1 and each.message for each in reading.diagnostics)


@given(st.lists(st.text(), max_size=3))
@QUIET
def test_arbitrary_texts(texts):
    check(read(*[f"\ufeff{text}" for text in texts]))


@given(st.lists(JSON, max_size=3), st.sampled_from(["FirewallPolicy", "RuleGroup", "RuleGroupResponse", "RulesSource", None]))
@QUIET
def test_arbitrary_json(documents, member):
    check(read(*[{member: document} if member else document for document in documents]))


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


@given(st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exports_with_anything_replaced_or_removed(data):
    documents = copy.deepcopy(EXPORT)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path in paths(documents) if len(path) > 1]))
        holder = documents
        for step in path[:-1]:
            holder = holder[step]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[path[-1]]
        else:
            holder[path[-1]] = data.draw(JSON)
    check(read(*documents))


@given(st.data())
@QUIET
def test_exports_with_a_piece_of_text_changed(data):
    texts = [json.dumps(each, indent=1) for each in EXPORT]
    which = data.draw(st.integers(0, len(texts) - 1))
    start = data.draw(st.integers(0, len(texts[which])))
    end = data.draw(st.integers(start, min(start + 20, len(texts[which]))))
    texts[which] = texts[which][:start] + data.draw(st.text(max_size=5)) + texts[which][end:]
    check(read(*texts))


@given(st.text(alphabet='passdrotcip $@HOMENR[]!,->(){}:;"\\\n\r0123456789'))
@QUIET
def test_arbitrary_rule_texts(text):
    documents = copy.deepcopy(EXPORT)
    documents[2]["RuleGroup"]["RulesSource"]["RulesString"] = text
    check(read(*documents))
