"""Decision words, and what is known with hindsight: which passes are fast, which drops are the last word."""

from __future__ import annotations

import pytest

from tests.render.rendering import policy_of
from twinwall.path.layout import TCP
from twinwall.render.marks import FAST, LAST, REPORTS, SCOPE_FLOW, RuleAction
from twinwall.render.parts import plan_parts
from twinwall.render.words import action_of, word_of

WORDS = [
    ("pass tcp any any -> any 80 ()", RuleAction.PASS, True, False),
    ("pass tcp any any -> any 80 (flow:to_server;)", RuleAction.PASS, False, False),
    ("pass tcp any any -> any 80 (flow:to_server; alert;)", RuleAction.PASS, False, True),
    ("drop tcp any any -> any 80 (flow:to_server;)", RuleAction.DROP, False, True),
    ("reject tcp any any -> any 80 (noalert;)", RuleAction.REJECT, True, False),
    ("alert tcp any any -> any 80 ()", RuleAction.ALERT, False, True),
    ("drop tcp any any -> any 80 (inspect; flow:to_server;)", RuleAction.INSPECT, True, False),
]


@pytest.mark.parametrize(("rule", "action", "flow", "reports"), WORDS, ids=[case[0] for case in WORDS])
def test_a_word_says_action_scope_and_report(rule: str, action: RuleAction, flow: bool, reports: bool):
    word = word_of(policy_of(rule).stateful.rules[0], 4)
    assert (action_of(word), bool(word & SCOPE_FLOW), bool(word & REPORTS)) == (action, flow, reports)
    assert word & 0xFFFFF == 5


def hindsight(*rules: str, bit: int) -> list[bool]:
    """For every rule of TCP over IPv4 whether its word has the bit."""
    part = next(each for each in plan_parts(policy_of(*rules)) if each.family == 4 and TCP in each.protocols.numbers)
    by_place = {unit.match.place: bool(word & bit) for unit, word in zip(part.plan.units, part.plan.words, strict=True)}
    return [by_place[place] for place in sorted(by_place)]


def test_a_pass_is_fast_unless_an_alert_before_it_would_have_to_report_every_packet():
    rules = ["alert tcp any any -> any 22 (flow:to_server;)", "pass tcp any any -> any [22,80] (flow:to_server;)"]
    part = next(each for each in plan_parts(policy_of(*rules)) if each.family == 4 and TCP in each.protocols.numbers)
    fast = {unit.box[3]: bool(word & FAST) for unit, word in zip(part.plan.units, part.plan.words, strict=True)}
    assert fast == {(22, 22): False, (80, 80): True}


def test_a_pass_that_reports_or_covers_its_flow_is_not_fast():
    assert hindsight("pass tcp any any -> any 80 (flow:to_server; alert;)", bit=FAST) == [False]
    assert hindsight("pass tcp any any -> any 80 ()", bit=FAST) == [False]


@pytest.mark.parametrize(
    ("behind", "last"),
    [
        ("drop tcp any any -> any 80 (flow:to_server;)", False),
        ("drop tcp any any -> any 80 (flow:to_server; noalert;)", True),
        ("pass tcp any any -> any 80 (flow:to_server;)", True),
        ("pass tcp any any -> any 80 (noalert;)", False),
        ("reject tcp any any -> any 80 (flow:to_server; noalert;)", False),
        ("alert tcp any any -> any 80 (flow:to_server;)", False),
        ("alert tcp any any -> any 80 (flow:to_client;)", True),
        ("alert tcp any any -> any 81 (flow:to_server;)", True),
        ("pass tcp any any -> any 80 (flow:to_server; flowbits:set,seen;)", False),
    ],
)
def test_a_drop_is_the_last_word_unless_something_behind_it_still_matters(behind: str, last: bool):
    assert hindsight("drop tcp any any -> any 80 (flow:to_server;)", behind, bit=LAST)[0] == last
