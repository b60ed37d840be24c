"""What a matching rule does, alone and after another: verdict, alerts, the flow's mark."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compile.generate import make_record, make_rule
from tests.path.conversation import ENTRY, PACKET, TO_CLIENT, Conversation, stage
from twinwall.conntrack.entry import ENTRY as ENTRY_FIELDS
from twinwall.path.flow_state import FLOW_DROP, FLOW_OPEN, FLOW_PASS, FLOW_REJECT
from twinwall.path.layout import NO_RULE
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import Action, RuleType, StatefulDefault

P, D, R, A = Action.PASS, Action.DROP, Action.REJECT, Action.ALERT
OF_ONE = {P: Verdict.PASS, D: Verdict.DROP, R: Verdict.REJECT}


@pytest.mark.parametrize("action", [P, D, R, A])
def test_one_rule(action):
    verdict, reason, scope, rule, alerts = Conversation(stage(make_rule(action, type=PACKET))).packet(make_record())
    assert verdict is OF_ONE.get(action, Verdict.PASS)
    assert (reason, rule) == ((Reason.NO_RULE, NO_RULE) if action is A else (Reason.RULE, 0))
    assert (scope, alerts) == (0, [] if action is P else [(0, action is not A)])


# First rule, second rule: the verdict, the rule that gave it, which rules report.
PAIRS = {
    (P, P): (Verdict.PASS, 0, []), (P, D): (Verdict.PASS, 0, []), (P, R): (Verdict.PASS, 0, []), (P, A): (Verdict.PASS, 0, []),
    (D, P): (Verdict.DROP, 0, [0]), (D, D): (Verdict.DROP, 0, [0, 1]), (D, R): (Verdict.REJECT, 1, [0, 1]),
    (D, A): (Verdict.DROP, 0, [0, 1]),
    (R, P): (Verdict.REJECT, 0, [0]), (R, D): (Verdict.REJECT, 0, [0, 1]), (R, R): (Verdict.REJECT, 0, [0, 1]),
    (R, A): (Verdict.REJECT, 0, [0, 1]),
    (A, P): (Verdict.PASS, 1, [0]), (A, D): (Verdict.DROP, 1, [0, 1]), (A, R): (Verdict.REJECT, 1, [0, 1]),
    (A, A): (Verdict.PASS, NO_RULE, [0, 1]),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS)
def test_two_rules(pair):
    talk = Conversation(stage(*[make_rule(action, type=PACKET) for action in pair]))
    verdict, _, _, rule, alerts = talk.packet(make_record())
    assert (verdict, rule, [number for number, _ in alerts]) == PAIRS[pair]


@pytest.mark.parametrize("kind", [RuleType.IP_ONLY, RuleType.LIKE_IP_ONLY])
@pytest.mark.parametrize(("action", "mark"), [(P, FLOW_PASS), (D, FLOW_DROP), (R, FLOW_REJECT), (A, FLOW_OPEN)])
def test_a_rule_on_addresses_and_ports_marks_the_flow(kind, action, mark):
    talk = Conversation(stage(make_rule(A, type=PACKET), make_rule(action, type=kind)))
    _, _, scope, _, _ = talk.packet(make_record())
    entry = np.frombuffer(talk.entry, ENTRY_FIELDS, 1)[0]
    assert (entry["verdict"], entry["rule"], scope) == (mark, 1 if mark else 0, 1 if mark else 0)


@pytest.mark.parametrize("action", [P, D, R])
def test_a_packet_of_no_flow_is_judged_alone(action):
    talk = Conversation(stage(make_rule(action, type=RuleType.LIKE_IP_ONLY)))
    verdict, reason, scope, _, _ = talk.packet(make_record(), tracked=0)
    assert (verdict, reason, scope) == (OF_ONE[action], Reason.RULE, 0)
    assert not any(talk.entry)


def test_a_default_action_is_silent_where_a_rule_decided():
    both = (StatefulDefault.DROP_STRICT, StatefulDefault.ALERT_STRICT)
    for action, alerts in ((P, []), (D, [(0, True)])):
        talk = Conversation(stage(make_rule(action, type=PACKET), default=both))
        assert talk.packet(make_record())[3:] == (0, alerts)
    assert Conversation(stage(make_rule(A, type=PACKET), default=both)).packet(make_record())[3:] == (
        1,
        [(0, False), (1, True)],
    )


def test_alerts_are_counted_for_the_flow_up_to_what_the_counter_holds():
    talk = Conversation(stage(*[make_rule(A, type=PACKET)] * 3))
    entry = np.frombuffer(talk.entry, ENTRY_FIELDS, 1)
    talk.packet(make_record())
    talk.packet(make_record(), ENTRY | TO_CLIENT)
    assert entry["alerts"][0] == 6
    entry["alerts"] = 65533
    talk.packet(make_record())
    assert len(talk.packet(make_record())[4]) == 3
    assert (entry["alerts"][0], entry["verdict"][0], entry["scope_seen"][0]) == (65535, FLOW_OPEN, 3)


def test_an_alert_names_the_side():
    talk = Conversation(stage(make_rule(A, type=PACKET)))
    for tracked, side in ((ENTRY, 0), (ENTRY | TO_CLIENT, 1), (0, 0)):
        talk.packet(make_record(), tracked)
        assert int(talk.alerts[1]["direction"]) == side
