"""Numbers in marks back to rules, also while one policy replaces another."""

from __future__ import annotations

import pytest

from twinwall.compile.policy import compile_policy
from twinwall.enforce.journal import Author
from twinwall.enforce.rulebook import LINGER, FixedRules, RuleBook, RulesInForce
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.state import Chosen, InForce, Pending, State

PASS_WEB = "pass tcp any any -> any 80 (sid:1;)\n"
DROP_DNS = "drop udp any any -> any 53 (sid:2;)\n"
DROP_WEB = "drop tcp any any -> any 80 (sid:1;)\n"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Folder:
    """A state folder and what `apply` does to it."""

    def __init__(self, path):
        self.state = State(path)
        self.generation = 0

    def force(self, rules):
        source = Source(Kind.RULES, (("test.rules", rules),))
        self.state.keep_source(source)
        self.generation += 1
        return InForce(Chosen(source.digest, "test.rules"), self.generation)

    def apply(self, rules):
        self.state.set_current(self.force(rules))

    def begin(self, rules):
        new = self.force(rules)
        self.state.set_pending(Pending("1", "apply", self.state.current(), new, Author(), "boot"))
        return new


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "state")


def sids(rules):
    return [rule.sid for rule in rules.book.rules]


def test_numbers_are_those_of_the_compiled_policy(folder):
    text = "twinwall: 1\nstateful:\n  order: strict\n  default: [drop_established, alert_strict]\n  rules: |\n    " + PASS_WEB
    policy = Source(Kind.POLICY, (("p.yaml", text),)).policy()
    book = RuleBook.of(policy)
    assert book.rules == tuple(compile_policy(policy).stateful.rules)
    assert len(book.rules) > 2
    assert book.rule(1).sid == 1
    assert book.rule(0) is None
    assert book.rule(len(book.rules) + 1) is None


def test_a_sid_has_the_numbers_of_all_its_rules():
    policy = Source(Kind.RULES, (("r.rules", PASS_WEB + DROP_DNS),)).policy()
    book = RuleBook(policy.stateful.rules + policy.stateful.rules)
    assert book.numbers(2) == {2, 4}
    assert book.numbers(7) == frozenset()


def test_a_generation_names_the_policy_also_when_it_has_gone(folder):
    folder.apply(PASS_WEB)
    rules = RulesInForce(folder.state)
    folder.apply(DROP_DNS)
    rules.refresh()
    assert rules.rule(1, 1).sid == 1
    assert rules.rule(1, 2).sid == 2
    assert rules.rule(1, 3) is None


def test_without_a_policy_in_force_there_are_no_rules(folder):
    rules = RulesInForce(folder.state)
    assert rules.book.rules == ()
    assert rules.book.attach is None
    assert not rules.refresh()


def test_a_policy_that_is_put_in_force_is_noticed(folder):
    rules = RulesInForce(folder.state)
    folder.apply(PASS_WEB)
    assert rules.refresh()
    assert sids(rules) == [1]
    assert rules.book.generation == 1
    assert not rules.refresh()
    folder.apply(DROP_DNS)
    assert rules.refresh()
    assert sids(rules) == [2]
    folder.state.set_current(None)
    assert rules.refresh()
    assert sids(rules) == []


def test_while_a_policy_comes_only_what_both_say_is_certain(folder):
    folder.apply(PASS_WEB + DROP_DNS)
    rules = RulesInForce(folder.state)
    assert rules.rule(1).sid == 1
    folder.begin(DROP_WEB + DROP_DNS)
    rules.refresh()
    assert rules.rule(1) is None  # the same sid, but it says something else
    assert rules.rule(2).sid == 2
    assert rules.rule(3) is None


def test_a_policy_that_has_gone_counts_as_long_as_its_packets_may_be_under_way(folder):
    clock = Clock()
    folder.apply(PASS_WEB)
    rules = RulesInForce(folder.state, clock)
    new = folder.begin(DROP_DNS)
    rules.refresh()
    folder.state.set_current(new)
    folder.state.set_pending(None)
    rules.refresh()
    assert sids(rules) == [2]
    assert rules.rule(1) is None
    clock.now = LINGER + 1
    assert rules.rule(1).sid == 2


def test_the_same_policy_again_leaves_everything_certain(folder):
    folder.apply(PASS_WEB)
    rules = RulesInForce(folder.state)
    folder.apply(PASS_WEB)
    assert rules.refresh()
    assert rules.book.generation == 2
    assert rules.rule(1).sid == 1


def test_rules_that_somebody_named_stay():
    rules = FixedRules(RuleBook.of(Source(Kind.RULES, (("r.rules", PASS_WEB),)).policy()))
    assert not rules.refresh()
    assert rules.rule(1).sid == 1
