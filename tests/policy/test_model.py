"""The tracker's settings: what holds where the policy says nothing."""

from __future__ import annotations

from dataclasses import replace

from twinwall.policy.model import Attach, Flows, Policy, Timeout, Tracking


def test_a_timeout_is_linuxs_unless_the_policy_says_another_and_the_last_word_counts():
    assert Tracking().seconds(Timeout.TCP_ESTABLISHED) == 432000
    assert Tracking(timeouts=((Timeout.UDP, 5.0), (Timeout.UDP, 6.0))).seconds(Timeout.UDP) == 6.0


def test_a_policy_that_is_attached_later_has_linux_s_flows():
    policy = Policy()
    assert policy.flows is Flows.RULES
    assert replace(policy, attach=Attach(inside=("lan0",))).flows is Flows.LINUX
    said = replace(policy, attach=Attach(), tracking=Tracking(flows=Flows.RULES))
    assert said.flows is Flows.RULES


def test_an_attached_policy_names_each_interface_once():
    assert Attach(inside=("a", "b"), outside=("b", "c")).interfaces == ("a", "b", "c")


def test_an_empty_policy_is_a_policy():
    assert Policy() == Policy()
