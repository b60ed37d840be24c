"""What a policy has counted, added up from its XDP program and its tables."""

from __future__ import annotations

import re

import pytest

from tests.enforce.test_blueprint import made
from twinwall.enforce.status_counts import Counted, VerdictCount, count, default_verdict, explain
from twinwall.live.nft_counts import Count, Counts
from twinwall.live.xdp import XdpCounters
from twinwall.path.reason import Reason
from twinwall.policy.model import Action, StatelessStage
from twinwall.rules.policy_file import read_policy_text

POLICY, _ = read_policy_text(
    """twinwall: 1
stateless:
  default: drop
  rules: |
    pass udp any any <> any 53 (sid:1;)
    forward tcp any any <> any any (sid:2;)
stateful:
  order: strict
  rules: |
    pass tcp any any -> any 80 (sid:1;)
    drop tcp any any -> any 81 (msg:"no"; sid:7;)
attach: {mode: gateway, inside: [in0], outside: [out0]}
""",
    "policy.yaml",
    str,
)
NONE = Count()
COUNTER = re.compile(r"^\s*counter (\w+) \{", re.MULTILINE)


def xdp(*rules, reasons=(), unstamped=NONE):
    return XdpCounters({int(reason): counted for reason, counted in dict(reasons).items()}, rules, unstamped)


def table(stateless=(), stateful=(), **verdicts):
    made = Counts(verdicts=verdicts)
    made.stateless.update(stateless)
    made.stateful.update(stateful)
    return made


def rules(counted):
    return [(each.stage, each.sid, each.packets, each.bytes) for each in counted.rules]


def verdicts(counted):
    return {(each.stage, each.verdict, each.reason): each.packets for each in counted.verdicts}


def test_without_traffic_every_rule_is_there_and_no_verdict():
    found = count(POLICY, None, [])
    assert rules(found) == [("stateless", 1, 0, 0), ("stateless", 2, 0, 0), ("stateful", 1, 0, 0), ("stateful", 7, 0, 0)]
    assert found.verdicts == ()
    assert (found.rules[3].action, found.rules[3].message) == ("drop", "no")


def test_the_stages_number_their_rules_apart():
    found = count(POLICY, None, [table({1: Count(2, 20)}, {1: Count(3, 30)})])
    assert rules(found)[0] == ("stateless", 1, 2, 20)
    assert rules(found)[2] == ("stateful", 1, 3, 30)


def test_what_xdp_and_the_tables_have_counted_of_a_rule_is_one_sum():
    """On a host XDP judges what comes, and a chain what goes."""
    found = count(POLICY, xdp(Count(1, 10), Count(5, 50)), [table({1: Count(2, 20)}), table({1: Count(4, 40)})])
    assert rules(found)[:2] == [("stateless", 1, 7, 70), ("stateless", 2, 5, 50)]
    assert verdicts(found) == {("stateless", "pass", "stateless_rule"): 1, ("stateless", "forward", "stateless_rule"): 5}


def test_a_program_of_another_policy_says_nothing_about_this_one_s_rules():
    assert rules(count(POLICY, xdp(Count(1, 10)), []))[:2] == [("stateless", 1, 0, 0), ("stateless", 2, 0, 0)]


def test_rules_of_one_number_are_counted_once():
    lines = "    pass tcp any any -> any 80 (sid:1;)\n    pass tcp any any -> any 81 (gid:2; sid:1;)\n"
    text = f"twinwall: 1\nstateful:\n  rules: |\n{lines}"
    policy, diagnostics = read_policy_text(text, "policy.yaml", str)
    assert policy is not None, diagnostics
    assert [each.packets for each in count(policy, None, [table((), {1: Count(9, 90)})]).rules] == [9, 0]


def test_verdicts_of_both_forms_have_the_same_names():
    reasons = {Reason.STATELESS_RULE: Count(2, 2), Reason.STATELESS_DEFAULT: Count(3, 3), Reason.TRUNCATED_IP: Count(4, 4)}
    in_xdp = count(POLICY, xdp(Count(2, 2), NONE, reasons=reasons), [])
    in_table = count(
        POLICY,
        None,
        [table(pass_stateless_rule=Count(2, 2), drop_stateless_default=Count(3, 3), drop_truncated_ip=Count(4, 4))],
    )
    assert verdicts(in_xdp) == verdicts(in_table)
    assert verdicts(in_xdp)["stateless", "drop", "stateless_default"] == 3


def test_a_verdict_of_two_places_is_one_line():
    """A packet without a stamp: XDP had no room for one, or the ruleset missed it."""
    found = count(POLICY, xdp(NONE, NONE, unstamped=Count(2, 20)), [table(drop_unstamped=Count(1, 10), drop_invalid=NONE)])
    assert found.verdicts == (VerdictCount("stateless", "drop", "unstamped", 3, 30),)


def test_a_verdict_belongs_to_the_stage_that_gave_it():
    found = verdicts(count(POLICY, None, [table(drop_no_stamp=Count(1, 1), drop_invalid=Count(1, 1), pass_rule=Count(1, 1))]))
    assert found.keys() == {("stateless", "drop", "no_stamp"), ("stateful", "drop", "invalid"), ("stateful", "pass", "rule")}


DROP, PASS, FORWARD = Action.DROP, Action.PASS, Action.FORWARD


@pytest.mark.parametrize(
    ("stage", "reason", "said"),
    [
        (StatelessStage(default=DROP), Reason.STATELESS_DEFAULT, "drop"),
        (StatelessStage(fragments=PASS), Reason.STATELESS_FRAGMENT_DEFAULT, "pass"),
        (StatelessStage(fragments=PASS, other_fragments=PASS), Reason.STATELESS_FRAGMENT_DEFAULT, "pass"),
        (StatelessStage(fragments=PASS, other_fragments=DROP), Reason.STATELESS_FRAGMENT_DEFAULT, "pass or drop"),
        (StatelessStage(default=FORWARD), Reason.NOT_IP, "pass"),
        (StatelessStage(default=PASS), Reason.TRUNCATED_IP, "drop"),
    ],
)
def test_what_the_program_does_for_a_reason_that_is_no_rule(stage, reason, said):
    assert default_verdict(stage, reason) == said


@pytest.mark.parametrize("mode", ["gateway", "bridge", "host"])
@pytest.mark.parametrize("way", ["xdp", "nft"])
def test_every_counter_of_a_ruleset_is_explained(mode, way):
    text = f"""twinwall: 1
stateful:
  rules: |
    reject tcp any any -> any 80 (sid:1;)
    pass tcp any any -> any 81 (inspect; sid:2;)
attach: {{mode: {mode}, inside: [in0], outside: [out0]}}
"""
    names = COUNTER.findall(made(text, way=way, queue="target").ruleset.text)
    reasons = [name.partition("_")[2] for name in names]
    assert "invalid" in reasons
    assert "inspection" in reasons
    assert [reason for reason in reasons if " " not in explain(reason)] == []


def test_a_reason_of_a_newer_version_is_said_by_its_name():
    assert explain("never_heard_of") == "never_heard_of"
    assert VerdictCount("stateful", "drop", "invalid", 1, 1).explanation == Reason.INVALID.explanation
    assert Counted() == count(read_policy_text("twinwall: 1\n", "policy.yaml", str)[0], None, [])
