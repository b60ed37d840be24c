"""The FirewallPolicy body: settings, defaults, and every check across members."""

import pytest

from tests.formats.aws.made import codes, custom_action, only, policy, read
from twinwall.formats.aws.options import AwsOptions
from twinwall.policy.model import Action, Exceptional, Order, StatefulDefault, Timeout


def strict(**members):
    return policy(StatefulEngineOptions={"RuleOrder": "STRICT_ORDER"}, **members)


def test_the_smallest_policy():
    found = read(policy()).policy
    assert (found.name, found.origin) == ("edge", "arn:aws:network-firewall:us-east-1:111122223333:firewall-policy/edge")
    assert (found.stateless.default, found.stateless.fragments) == (Action.FORWARD, Action.DROP)
    assert (found.stateful.order, found.stateful.default) == (Order.ACTION, ())
    assert found.stateful.midstream is Exceptional.DROP


def test_a_file_with_the_body_alone_is_named_after_the_file():
    assert read(policy()["FirewallPolicy"]).policy.name == "0"


def test_default_actions_count_their_metrics():
    made = policy(StatelessCustomActions=[custom_action("A", "all"), custom_action("B", "pieces")])
    made["FirewallPolicy"]["StatelessDefaultActions"] = ["A", "aws:pass"]
    made["FirewallPolicy"]["StatelessFragmentDefaultActions"] = ["aws:forward_to_sfe", "B"]
    stage = read(made).policy.stateless
    assert (stage.default, stage.default_metrics) == (Action.PASS, ("all",))
    assert (stage.fragments, stage.fragment_metrics) == (Action.FORWARD, ("pieces",))


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"StatelessDefaultActions": []}, "aws-standard-action"),
        ({"StatelessDefaultActions": ["aws:pass", "aws:drop"]}, "aws-standard-action"),
        ({"StatelessDefaultActions": ["aws:pass", "Nobody"]}, "aws-custom-undefined"),
        ({"StatelessDefaultActions": ["aws:pass", "aws:reject"]}, "aws-vocabulary"),
        ({"StatelessDefaultActions": None}, "aws-missing"),
        ({"StatelessFragmentDefaultActions": "aws:pass"}, "aws-wrong-type"),
        ({"StatelessCustomActions": [custom_action("a-b")]}, "aws-custom-name"),
        ({"StatelessCustomActions": [custom_action("A"), custom_action("A")]}, "aws-custom-twice"),
        ({"StatelessCustomActions": [{**custom_action(), "ActionName": None}]}, "aws-missing"),
        ({"StatelessCustomActions": [{"ActionName": "A", "ActionDefinition": {}}]}, "aws-custom-definition"),
        ({"StatelessCustomActions": [custom_action(value="näh")]}, "aws-custom-definition"),
        ({"StatefulDefaultActions": ["aws:drop_strict"]}, "aws-default-not-strict"),
        ({"StatefulEngineOptions": {"RuleOrder": "LOOSE"}}, "aws-vocabulary"),
        ({"StatefulEngineOptions": {"StreamExceptionPolicy": "PASS"}}, "aws-vocabulary"),
        ({"StatefulEngineOptions": {"FlowTimeouts": {"TcpIdleTimeoutSeconds": 59}}}, "aws-idle-timeout"),
        ({"StatefulEngineOptions": {"FlowTimeouts": {"TcpIdleTimeoutSeconds": 6001}}}, "aws-idle-timeout"),
        ({"Route53ResolvedIPValidation": {"Action": "DROP"}}, "aws-resolved-ip"),
        ({"EnableTLSSessionHolding": "yes"}, "aws-wrong-type"),
        ({"PolicyVariables": {"RuleVariables": {"EXTERNAL_NET": {"Definition": ["0.0.0.0/0"]}}}}, "aws-policy-variable"),
        ({"PolicyVariables": {"RuleVariables": {"HOME_NET": {"Definition": ["ten"]}}}}, "aws-variable-definition"),
        ({"PolicyVariables": {"RuleVariables": {"HOME_NET": {}}}}, "aws-missing"),
    ],
)
def test_a_mistake_has_its_code_and_forbids_a_policy(members, code):
    reading = read(policy(**members))
    found = only(reading, code)
    assert reading.policy is None
    assert found.span.file == "0.json"
    assert found.hint


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        (["aws:drop_established", "aws:alert_established_app_layer"], "aws-default-families"),
        (["aws:drop_established_app_layer_to_server", "aws:alert_established"], "aws-default-families"),
        (["aws:drop_strict", "aws:drop_established"], "aws-default-drops"),
        (["aws:drop_hard"], "aws-vocabulary"),
    ],
)
def test_default_actions_that_do_not_go_together(actions, code):
    only(read(strict(StatefulDefaultActions=actions)), code)


@pytest.mark.parametrize(
    "names",
    [
        ["drop_strict", "alert_strict", "alert_established"],
        ["drop_established", "alert_established", "alert_strict"],
        ["drop_established_app_layer", "alert_established_app_layer", "alert_strict"],
        ["drop_established_app_layer_to_server", "alert_established_app_layer_to_server"],
        ["alert_strict", "alert_established"],
    ],
)
def test_default_actions_that_go_together(names):
    found = read(strict(StatefulDefaultActions=[f"aws:{name}" for name in names])).policy.stateful
    assert found.order is Order.STRICT
    assert found.default == tuple(StatefulDefault(name) for name in names)


def test_an_empty_list_of_default_actions_is_no_mistake_in_action_order():
    assert read(policy(StatefulDefaultActions=[])).diagnostics == ()


@pytest.mark.parametrize("word", ["DROP", "CONTINUE", "REJECT"])
def test_the_stream_exception_policy_is_the_midstream_setting(word):
    made = policy(StatefulEngineOptions={"StreamExceptionPolicy": word})
    assert read(made).policy.stateful.midstream.value == word.lower()
    chosen = read(made, options=AwsOptions(midstream=Exceptional.CONTINUE)).policy
    assert chosen.stateful.midstream is Exceptional.CONTINUE


def test_invalid_packets_are_the_users_choice():
    assert read(policy()).policy.stateful.invalid is Exceptional.DROP
    assert read(policy(), options=AwsOptions(invalid=Exceptional.CONTINUE)).policy.stateful.invalid is Exceptional.CONTINUE


@pytest.mark.parametrize(("given", "idle"), [(None, 350), (60, 60), (6000, 6000)])
def test_no_tcp_connection_outlives_the_idle_timeout_and_no_udp_flow_120_seconds(given, idle):
    options = {} if given is None else {"FlowTimeouts": {"TcpIdleTimeoutSeconds": given}}
    tracking = read(policy(StatefulEngineOptions=options)).policy.tracking
    assert tracking.seconds(Timeout.TCP_ESTABLISHED) == idle
    assert tracking.seconds(Timeout.TCP_UNACKNOWLEDGED) == idle
    assert all(tracking.seconds(each) <= idle for each in Timeout if each.value[0].startswith("tcp_"))
    assert tracking.seconds(Timeout.TCP_CLOSE) == 10
    assert tracking.seconds(Timeout.UDP) == tracking.seconds(Timeout.UDP_STREAM) == 120


def test_tls_inspection_is_said_not_to_be_emulated():
    arn = "arn:aws:network-firewall:us-east-1:111122223333:tls-configuration/inspect"
    reading = read(policy(TLSInspectionConfigurationArn=arn))
    only(reading, "aws-tls-inspection")
    assert reading.policy is not None
    reading = read(policy(TLSInspectionConfigurationArn=arn, EnableTLSSessionHolding=True))
    assert codes(reading) == ["aws-tls-inspection", "aws-session-holding"]
    assert reading.policy is not None


def test_session_holding_needs_tls_inspection_and_no_application_layer_default():
    assert codes(read(policy(EnableTLSSessionHolding=True))) == ["aws-session-holding", "aws-holding-without-tls"]
    arn = "arn:aws:network-firewall:us-east-1:111122223333:tls-configuration/inspect"
    made = strict(
        EnableTLSSessionHolding=True,
        TLSInspectionConfigurationArn=arn,
        StatefulDefaultActions=["aws:drop_established_app_layer"],
    )
    assert codes(read(made)) == ["aws-tls-inspection", "aws-session-holding", "aws-holding-without-tls"]
    assert read(policy(EnableTLSSessionHolding=False)).diagnostics == ()
