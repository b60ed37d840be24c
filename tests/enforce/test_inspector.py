"""From a packet's mark to the decision in it."""

from __future__ import annotations

from twinwall.enforce.inspector import HeaderInspector, Opinion, decided, judge_all
from twinwall.enforce.rulebook import FixedRules, RuleBook
from twinwall.enforce.source import Kind, Source
from twinwall.live.nfqueue import ACCEPT, QueuedPacket
from twinwall.render.marks import ACTION_SHIFT, REPORTS, SCOPE_FLOW, RuleAction

RULES = """
pass tcp any any -> any 80 (inspect; sid:1;)
pass tcp any any -> any 83 (sid:2;)
drop tcp any any -> any 81 (inspect; sid:3;)
reject tcp any any -> any 82 (inspect; sid:4;)
"""


def word(number):
    return RuleAction.INSPECT << ACTION_SHIFT | number


def inspector():
    return HeaderInspector(FixedRules(RuleBook.of(Source(Kind.RULES, (("r.rules", RULES),)).policy())))


def queued(*marks):
    return [QueuedPacket(at, 2, mark, b"", 0, 0) for at, mark in enumerate(marks, 1)]


def test_the_rules_own_action_is_the_answer_for_the_flow():
    answers = [inspector().judge(b"", word(number)) for number in (1, 3, 4)]
    assert answers == [Opinion(action, True) for action in (RuleAction.PASS, RuleAction.DROP, RuleAction.REJECT)]


def test_of_a_rule_that_does_not_ask_or_does_not_exist_there_is_no_opinion():
    assert [inspector().judge(b"", word(number)) for number in (2, 9, 0)] == [None] * 3


def test_a_decision_replaces_the_action_and_leaves_the_rule():
    assert (
        decided(word(7) | REPORTS, Opinion(RuleAction.DROP, True)) == RuleAction.DROP << ACTION_SHIFT | 7 | SCOPE_FLOW | REPORTS
    )
    assert decided(word(7) | SCOPE_FLOW, Opinion(RuleAction.PASS, False)) == RuleAction.PASS << ACTION_SHIFT | 7


def test_every_packet_goes_on_and_the_undecided_as_they_came():
    judged = judge_all(inspector(), queued(word(1), word(9), word(3)))
    assert [answer.number for answer in judged.answers] == [1, 2, 3]
    assert {answer.verdict for answer in judged.answers} == {ACCEPT}
    assert judged.answers[1].mark == word(9)
    assert judged.answers[2].mark == RuleAction.DROP << ACTION_SHIFT | SCOPE_FLOW | 3
    assert (judged.undecided, judged.failure) == (1, None)


def test_a_failing_inspector_leaves_its_packet_undecided_and_goes_on():
    class Failing:
        def judge(self, packet, word):
            if word & 1:
                raise ValueError("odd")
            return Opinion(RuleAction.PASS, False)

    judged = judge_all(Failing(), queued(word(2), word(3), word(4)))
    assert [answer.mark >> ACTION_SHIFT & 7 for answer in judged.answers] == [
        RuleAction.PASS,
        RuleAction.INSPECT,
        RuleAction.PASS,
    ]
    assert judged.undecided == 1
    assert str(judged.failure) == "odd"
