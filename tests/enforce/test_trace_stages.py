"""What chains, counters and marks of a trace come to: sentences, verdict, reason, rule."""

from __future__ import annotations

import pytest

from tests.enforce.steps import FLOW, Known, arrival, step, texts, told
from twinwall.enforce.trace_stages import Stages
from twinwall.enforce.trace_story import narrate
from twinwall.engine.story import Line
from twinwall.live.connection import ConntrackEntry, Status
from twinwall.live.nft_rules import RuleFacts
from twinwall.live.nftrace import Code, TrackerState
from twinwall.render.marks import CT_DROP, CT_FAST_ORIGINAL, CT_FAST_REPLY, CT_GENERATION_SHIFT, CT_PASS


def test_an_alert_reports_and_the_next_rule_decides():
    story = told(
        step("tcp4", Code.JUMP, "hit", 1), step("report"), step("tcp4", Code.JUMP, "hit", 2), step("pass_rule", Code.ACCEPT)
    )
    assert (story.verdict, story.reason, story.rule.sid) == ("pass", "rule", 100)
    assert texts(story)[1:5] == [
        'rule 99 "seen" matches',
        "it is reported to the log",
        'rule 100 "web" matches',
        'rule 100 "web" decides the packet',
    ]


def test_a_rule_behind_the_deciding_one_does_not_take_its_place():
    story = told(
        step("tcp4", Code.JUMP, "hit", 3),
        step("drop_rule", Code.CONTINUE),
        step("tcp4", Code.JUMP, "hit", 2),
        step("overruled", Code.GOTO, "settle"),
        step("settled_drop_rule", Code.DROP),
    )
    assert (story.verdict, story.rule.sid) == ("drop", 101)


def test_an_alert_behind_the_deciding_rule_does_not_take_its_place():
    story = told(step("tcp4", Code.JUMP, "hit", 2), step("tcp4", Code.JUMP, "hit", 1), step("pass_rule", Code.ACCEPT))
    assert (story.verdict, story.rule.sid) == ("pass", 100)


def test_what_several_lines_stand_for_is_said_once():
    story = told(step("at_server"), step("at_server", Code.GOTO, "tcp4"))
    assert texts(story).count("the rules are asked about a packet of no flow") == 1


def test_names_carry_a_generation_or_not():
    story = told(step("judge.3", Code.GOTO, "flow_pass.3"), step("flow_pass.3", Code.ACCEPT))
    assert (story.verdict, story.reason) == ("pass", "flow_pass")


@pytest.mark.parametrize(
    ("bits", "verdict", "reason", "sid"),
    [
        (CT_PASS, "pass", "flow_pass", 100),
        (CT_FAST_ORIGINAL | CT_FAST_REPLY, "pass", "rule", 100),
        (CT_DROP, "drop", "flow_drop", 100),
        (CT_DROP, "pass", "known_flow", None),
        (CT_FAST_ORIGINAL, "pass", "known_flow", None),
        (2 << CT_GENERATION_SHIFT, "pass", "known_flow", None),
        (None, "drop", "known_flow", None),
    ],
)
def test_a_known_flow_is_what_its_connection_says_as_long_as_that_can_be_what_decided_the_packet(bits, verdict, reason, sid):
    entry = ConntrackEntry(FLOW, FLOW.reversed(), Status.SEEN_REPLY, mark=1 << CT_GENERATION_SHIFT | bits | 2) if bits else None
    facts = {"forward": RuleFacts(map="known_flows.1")}
    story = told(step("forward", Code.ACCEPT if verdict == "pass" else Code.DROP), facts=facts, entry=entry)
    assert (story.verdict, story.reason, story.rule.sid if story.rule else None) == (verdict, reason, sid)


@pytest.mark.parametrize(
    ("chain", "counter", "verdict", "reason"),
    [
        ("judge", "drop_behind_ah", "drop", "behind_ah"),
        ("stamp", "drop_no_stamp", "drop", "no_stamp"),
        ("stale", "drop_stale_error", "drop", "stale_error"),
        ("forward", "drop_unattached", "drop", "unattached"),
        ("drop_invalid", "drop_invalid", "drop", "invalid"),
    ],
)
def test_a_lines_counter_says_why(chain, counter, verdict, reason):
    story = told(step(chain, Code.DROP), facts={chain: RuleFacts((counter,))})
    assert (story.verdict, story.reason) == (verdict, reason)
    assert story.lines[-1].text.startswith(f"{reason}: ")


def test_what_the_stateless_stage_passed_is_not_asked_again():
    line = Line("stateless", "rule", Known().rules.book.stateless.rules[0])
    story = told(step("stamp_pass", Code.ACCEPT), step("judge", Code.ACCEPT), stateless=(line,))
    assert (story.verdict, story.reason, story.rule.sid) == ("pass", "stateless_rule", 10)
    assert "not asked: the stateless stage passed the packet" in texts(story)


def test_the_netdev_table_names_its_rule():
    story = told(step("rules4", Code.GOTO, "rule_drop", family="netdev", table="twinwall_1"))
    assert 'rule 10 "alone" is the first that matches' in texts(story)


def test_a_default_action_is_told_as_one():
    story = told(
        step("tail", mark=4),
        step("tail", Code.GOTO, "drop_default_drop_strict", 4),
        step("drop_default_drop_strict", Code.DROP),
    )
    assert story.reason == "default_drop_strict"
    assert sum(text.startswith("no rule decides the packet; default action") for text in texts(story)) == 1


def test_another_tables_drop_is_not_ours():
    story = told(step("in", Code.DROP, table="filter"))
    assert (story.verdict, story.reason) == ("drop", "elsewhere")


def test_the_trackers_label_is_told_once():
    story = narrate([arrival(state=TrackerState.NEW, direction=0)], Known(), str)
    assert texts(story)[1] == "the label is NEW, original direction"


def test_a_number_that_no_policy_knows_is_said():
    assert "rule number 77 matches, of a policy that is not known any more" in texts(told(step("tcp4", Code.JUMP, "hit", 77)))


def test_the_stages_are_empty_before_the_first_step():
    assert Stages(Known(), None, 0, 0, None).verdict == ""
