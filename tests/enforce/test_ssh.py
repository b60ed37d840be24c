"""The SSH session a command is typed on, asked of the engine as the kernel would ask."""

import pytest

from twinwall.compile.policy import compile_policy
from twinwall.enforce.session import Session
from twinwall.enforce.ssh import judge, judge_all
from twinwall.rules.policy_file import read_policy_text

SESSION = Session.parse("192.0.2.9 40000 198.51.100.1 22")


def asked(mode="host", stateless="", stateful="", default="drop_established", session=SESSION, interface=""):
    text = (
        f"twinwall: 1\nstateless:\n  rules: |\n    {stateless}\nstateful:\n  order: strict\n  default: [{default}]\n"
        f"  rules: |\n    {stateful}\nattach: {{mode: {mode}, inside: [in0], outside: [out0]}}\n"
    )
    policy, diagnostics = read_policy_text(text, "policy.yaml", str)
    assert policy is not None, diagnostics
    return judge(policy, compile_policy(policy), session, interface)


def test_a_policy_that_passes_ssh_refuses_nothing():
    assert asked(stateful="pass tcp any any -> any 22 (sid:1;)") is None


def test_a_policy_that_does_not_cuts_the_session_and_says_why():
    refusal = asked(stateful="pass tcp any any -> any 443 (sid:1;)")
    assert refusal.cuts
    assert "drop_established" in refusal.why
    assert refusal.packet == "tcp 192.0.2.9:40000 > 198.51.100.1:22"


def test_a_drop_rule_is_named():
    refusal = asked(stateful='drop tcp any any -> any 22 (msg:"no ssh"; sid:7;)')
    assert (refusal.cuts, refusal.why) == (True, 'rule 7 "no ssh"')


def test_a_session_that_lives_where_a_new_one_would_not():
    refusal = asked(stateful="pass tcp any any <> any 22 (flow:established; sid:1;)", default="drop_strict")
    assert not refusal.cuts


def test_the_machine_s_own_answers_count_on_a_host():
    refusal = asked(stateless="drop tcp any 22 -> any any (sid:1;)", stateful="pass tcp any any -> any 22 (sid:2;)")
    assert refusal.cuts
    assert refusal.packet == "tcp 198.51.100.1:22 > 192.0.2.9:40000"


@pytest.mark.parametrize("mode", ["gateway", "bridge"])
def test_elsewhere_only_what_comes_in_meets_only_the_stateless_stage(mode):
    assert asked(mode, stateful="drop tcp any any -> any 22 (sid:1;)", default="drop_strict") is None
    assert asked(mode, stateless="drop tcp any 22 -> any any (sid:1;)") is None
    assert asked(mode, stateless="drop tcp any any -> any 22 (sid:1;)").cuts
    assert not asked(mode, stateless="drop tcp any any -> any 22 (flags:S,12; sid:1;)").cuts


def test_an_interface_that_is_not_attached_is_not_met():
    rule = "drop tcp any any -> any 22 (sid:1;)"
    assert asked(stateless=rule, interface="mgmt0") is None
    assert asked(stateless=rule, interface="in0").cuts


def test_ipv6_and_ports_of_one_s_own():
    session = Session.parse("fe80::1%eth0 40000 2001:db8::1 2222")
    assert str(session) == "[fe80::1]:40000 > [2001:db8::1]:2222"
    assert asked(stateful="pass tcp any any -> any 2222 (sid:1;)", session=session) is None
    assert asked(stateful="pass tcp any any -> any 22 (sid:1;)", session=session).cuts


def test_of_several_sessions_the_one_that_is_cut_counts():
    """Not the first, and not one that merely could not be opened again."""
    other = Session.parse("192.0.2.77 40000 198.51.100.1 22")
    lives = "pass tcp 192.0.2.9 any <> any 22 (flow:established; sid:1;)"
    text = (
        f"twinwall: 1\nstateful:\n  order: strict\n  default: [drop_strict]\n  rules: |\n    {lives}\n"
        "attach: {mode: host, inside: [in0]}\n"
    )
    policy, _ = read_policy_text(text, "policy.yaml", str)
    compiled = compile_policy(policy)
    assert judge_all(policy, compiled, []) is None
    assert not judge_all(policy, compiled, [SESSION]).cuts
    refusal = judge_all(policy, compiled, [SESSION, other])
    assert (refusal.cuts, refusal.session) == (True, other)
