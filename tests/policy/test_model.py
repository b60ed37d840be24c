"""The tracker's settings: what holds where the policy says nothing."""

from __future__ import annotations

from twinwall.policy.model import Policy, Timeout, Tracking


def test_a_timeout_is_linuxs_unless_the_policy_says_another_and_the_last_word_counts():
    assert Tracking().seconds(Timeout.TCP_ESTABLISHED) == 432000
    assert Tracking(timeouts=((Timeout.UDP, 5.0), (Timeout.UDP, 6.0))).seconds(Timeout.UDP) == 6.0


def test_an_empty_policy_is_a_policy():
    assert Policy() == Policy()
