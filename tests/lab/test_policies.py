from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from twinwall.lab.policies import BOTH, STATEFUL, STATELESS, attached, bundled, departures, rule_count
from twinwall.policy.model import Attach, Mode, Policy

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", [STATELESS, STATEFUL, BOTH], ids=lambda path: path.stem)
def test_the_examples_are_the_bundled_policies(path):
    assert (ROOT / "examples/lab" / path.name).read_text() == path.read_text()


def test_one_is_stateless_one_stateful_and_one_both():
    stateless, stateful, both = (bundled(path) for path in (STATELESS, STATEFUL, BOTH))
    assert stateless.stateless.rules
    assert not stateless.stateful.rules
    assert stateful.stateful.rules
    assert not stateful.stateless.rules
    assert [rule.text for rule in both.stateful.rules] == [rule.text for rule in stateful.stateful.rules]
    assert (rule_count(stateless), rule_count(stateful), rule_count(both)) == (10, 4, 7)


def test_a_policy_keeps_its_own_names_for_the_interfaces():
    policy = Policy(attach=Attach(Mode.BRIDGE, ("lan0", "lan1"), ("wan0",)))
    assert attached(policy).attach == Attach(Mode.GATEWAY, ("lan0",), ("wan0",))


def test_a_policy_that_is_attached_nowhere_gets_the_labs_interfaces():
    assert attached(Policy()).attach == Attach(Mode.GATEWAY, ("inside",), ("outside",))
    one_side = replace(Policy(), attach=Attach(Mode.HOST, ("eth7",)))
    assert attached(one_side).attach == Attach(Mode.GATEWAY, ("eth7",), ("outside",))


def test_what_the_lab_does_otherwise_is_said():
    assert departures(bundled(BOTH)) == departures(Policy()) == []
    said = departures(Policy(attach=Attach(Mode.BRIDGE, ("lan0", "lan1"), ("wan0", "wan1"))))
    assert said == ["the policy is for a bridge; the lab's firewall is a gateway",
                    "the lab has one interface on each side; without lan1, wan1"]  # fmt: skip
