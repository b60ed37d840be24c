"""The stateful stage as a table: what each rule's info says, and the numbers that evaluation goes by."""

from __future__ import annotations

import pytest

from tests.compile.generate import FLOWBITS, make_rule
from twinwall.compile.stateful import compile_stateful
from twinwall.path.reason import Reason
from twinwall.path.table_layout import (
    CHECK_DEFAULT,
    H_ALERT_LIMIT,
    H_CANDIDATE_BITS,
    H_CANDIDATE_LIMIT,
    H_CHECKS,
    H_EFFECTS,
    H_ENTRIES,
    H_INFO,
    H_ROW_CACHE,
    INFO_ACTION,
    INFO_FLOW,
    INFO_LOG,
    INFO_REASON_SHIFT,
    INFO_RULE_SHIFT,
)
from twinwall.policy.model import Action, FlowbitKind, FlowbitOption, RuleType, StatefulDefault, StatefulStage
from twinwall.policy.sets import PortSet

PACKET, IP_ONLY, LIKE = RuleType.PACKET, RuleType.IP_ONLY, RuleType.LIKE_IP_ONLY


def table_of(*rules, default=()):
    return compile_stateful(StatefulStage(rules, default=default), FLOWBITS)


def infos(table):
    return [int(word) for word in table.words[table.header(H_INFO) :][: table.header(H_ENTRIES)]]


@pytest.mark.parametrize(
    ("action", "values", "flow", "log"),
    [
        (Action.PASS, {"type": PACKET}, False, False),
        (Action.PASS, {"type": IP_ONLY}, True, False),
        (Action.PASS, {"type": LIKE, "alert": True}, True, True),
        (Action.PASS, {"type": PACKET, "alert": True, "noalert": True}, False, False),
        (Action.DROP, {"type": IP_ONLY}, True, True),
        (Action.DROP, {"type": PACKET, "noalert": True}, False, False),
        (Action.REJECT, {"type": LIKE}, True, True),
        (Action.ALERT, {"type": IP_ONLY}, False, True),
        (Action.ALERT, {"type": PACKET, "noalert": True}, False, False),
    ],
)
def test_scope_and_report_follow_from_kind_and_keywords(action, values, flow, log):
    (info,) = infos(table_of(make_rule(action, **values)))
    assert (bool(info & INFO_FLOW), bool(info & INFO_LOG)) == (flow, log)
    assert info >> INFO_REASON_SHIFT & 0xFF == (Reason.RULE_FLOW if flow else Reason.RULE)


def test_actions_are_told_apart_and_rules_numbered():
    actions = (Action.PASS, Action.DROP, Action.REJECT, Action.ALERT)
    found = infos(table_of(*[make_rule(action) for action in actions]))
    assert len({info & INFO_ACTION for info in found}) == 4
    assert [info >> INFO_RULE_SHIFT for info in found] == [0, 1, 2, 3]


def test_default_actions_begin_where_the_rules_entries_end():
    two_way = make_rule(source_ports=PortSet(((80, 80),)), bidirectional=True)
    table = table_of(two_way, make_rule(), default=(StatefulDefault.DROP_ESTABLISHED,))
    checks = table.words[table.header(H_CHECKS) :][: 2 * table.header(H_ENTRIES) : 2]
    assert [bool(int(each) & CHECK_DEFAULT) for each in checks] == [False] * 3 + [True] * 2
    reasons = [info >> INFO_REASON_SHIFT & 0xFF for info in infos(table)]
    assert reasons[3:] == [Reason.DEFAULT_DROP_ESTABLISHED] * 2


def test_the_rest_of_the_walk_matters_only_where_a_rule_sets_bits():
    def effects(kind):
        return table_of(make_rule(flowbits=(FlowbitOption(kind, ("bit1",)),))).header(H_EFFECTS)

    tests = (FlowbitKind.ISSET, FlowbitKind.ISNOTSET)
    assert {kind: effects(kind) for kind in FlowbitKind} == {kind: int(kind not in tests) for kind in FlowbitKind}
    assert table_of().header(H_EFFECTS) == 0


@pytest.mark.parametrize(("count", "bits", "limit"), [(0, 1, 6), (1, 1, 6), (2, 1, 6), (3, 2, 6), (1024, 10, 6), (1025, 11, 5)])
def test_a_list_of_candidates_fits_into_a_word(count, bits, limit):
    table = table_of(*[make_rule()] * count)
    assert (table.header(H_CANDIDATE_BITS), table.header(H_CANDIDATE_LIMIT)) == (bits, limit)
    assert bits * limit <= 60


def test_numbers_of_evaluation():
    table = table_of(make_rule())
    assert (table.header(H_ALERT_LIMIT), table.header(H_ROW_CACHE)) == (15, 1)
    assert compile_stateful(StatefulStage(), (), alert_limit=3).header(H_ALERT_LIMIT) == 3
