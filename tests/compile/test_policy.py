"""A policy as tables: deterministic, bounded, small where rules have much in common."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.generate import FLOWBITS, make_rule, some_rule, some_stateful_rule
from twinwall.compile import limits
from twinwall.compile.policy import compile_policy
from twinwall.policy.diagnostic import PolicyError
from twinwall.policy.model import Action, Condition, PacketField, Policy, StatefulDefault, StatefulStage, StatelessStage
from twinwall.policy.sets import AddressSet


def some_policy(seed):
    rng = random.Random(seed)
    return Policy(
        stateless=StatelessStage(tuple(some_rule(rng) for _ in range(30))),
        stateful=StatefulStage(tuple(some_stateful_rule(rng) for _ in range(30)), default=(StatefulDefault.DROP_STRICT,)),
        flowbits=FLOWBITS,
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32))
def test_equal_policies_give_equal_words(seed):
    first, second = compile_policy(some_policy(seed)), compile_policy(some_policy(seed))
    assert np.array_equal(first.stateless.words, second.stateless.words)
    assert np.array_equal(first.stateful.words, second.stateful.words)


def test_an_empty_policy_has_tables():
    compiled = compile_policy(Policy())
    assert (compiled.stateless.rules, compiled.stateful.rules, compiled.flowbit_words) == ((), (), 0)


def test_default_actions_are_rules_after_the_policys_own():
    stage = StatefulStage((make_rule(),), default=(StatefulDefault.DROP_ESTABLISHED, StatefulDefault.ALERT_ESTABLISHED))
    rules = compile_policy(Policy(stateful=stage)).stateful.rules
    assert [(each.message, each.sid, each.synthetic, each.noalert) for each in rules[1:]] == [
        ("aws:alert_established action", 4, True, False),
        ("aws:alert_established action", 2, True, False),
    ]


def test_flowbits_take_a_word_for_every_64():
    assert [compile_policy(Policy(flowbits=FLOWBITS[:count])).flowbit_words for count in (0, 1, 64, 65)] == [0, 1, 1, 2]


def test_a_table_does_not_grow_with_the_square_of_its_rules():
    """Every rule has an address of its own: rows of plain bits would need 4,000 x 2 x 4,000 bits for one side."""
    hosts = [
        make_rule(source=AddressSet(((7 * n, 7 * n),), ()), destination=AddressSet(((9 * n, 9 * n),), ())) for n in range(4000)
    ]
    assert compile_policy(Policy(stateless=StatelessStage(tuple(hosts)))).stateless.words.nbytes < 2_000_000


@pytest.mark.parametrize(("name", "bound"), [("MOST_ENTRIES", 500), ("MOST_CELLS", 20_000)])
@pytest.mark.parametrize("stage", ["stateless", "stateful"])
def test_a_stage_too_large_is_refused_with_its_place_and_a_remedy(monkeypatch, name, bound, stage):
    monkeypatch.setattr(limits, name, bound)
    scattered = [tuple((start + 99 * n, start + 99 * n) for n in range(10)) for start in range(0, 1_000_000, 1000)]
    rules = tuple(make_rule(source=AddressSet(each, ())) for each in scattered[:600])
    policy = Policy(stateless=StatelessStage(rules)) if stage == "stateless" else Policy(stateful=StatefulStage(rules))
    with pytest.raises(PolicyError) as refused:
        compile_policy(policy)
    (found,) = refused.value.diagnostics
    assert (found.code, found.span) == ("too-many-rules", rules[0].span)
    assert stage in found.message
    assert found.hint


def test_a_stateless_rule_cannot_ask_for_what_the_stage_does_not_know():
    rule = make_rule(Action.DROP, conditions=(Condition(PacketField.TTL, ((1, 1),)),))
    with pytest.raises(AssertionError, match="TTL"):
        compile_policy(Policy(stateless=StatelessStage((rule,))))
