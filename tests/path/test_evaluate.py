"""The stateful rules: every packet of a conversation gets what a scan over the rules gives it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.generate import make_record, make_rule, some_record, some_stateful_rule
from tests.compile.linear import Flow, judge_stateful
from tests.path.conversation import ENTRY, ESTABLISHED, PACKET, QUOTE, TO_CLIENT, Conversation, stage
from twinwall.conntrack import entry as conntrack_entry
from twinwall.path import flow_state
from twinwall.path.layout import NO_RULE, UDP
from twinwall.path.reason import Reason, Verdict
from twinwall.path.table_layout import OP_ISSET
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import (
    Action,
    FlowbitKind,
    FlowbitOption,
    FlowDirection,
    FlowOption,
    RuleType,
    StatefulDefault,
)
from twinwall.policy.sets import AddressSet, PortSet


def same(conversation, found, expected, rules):
    """Compare, with default actions named instead of numbered."""
    verdict, reason, scope, rule, alerts = found

    def name(index):
        return index if index < rules or index == NO_RULE else conversation.compiled.stateful.rules[index].message

    assert (verdict, reason, scope) == (expected.verdict, expected.reason, expected.scope)
    assert name(rule) == (expected.default or expected.rule)
    assert [(name(index), blocked) for index, blocked in alerts] == expected.alerts


def converse(rng, policy, packets):
    """A flow whose sides keep their five-tuple, with quotes and packets without a flow in between."""
    conversation, flow = Conversation(policy), Flow()
    sides = [some_record(rng), some_record(rng)]
    sides[1]["proto"] = sides[0]["proto"]
    for _ in range(packets):
        side, established = rng.getrandbits(1), rng.random() < 0.5
        record = some_record(rng)
        kind = rng.random()
        tracked = (ESTABLISHED if established else 0) | (TO_CLIENT if side else 0)
        if kind < 0.15:
            found = conversation_without_flow(conversation, record, tracked & ~TO_CLIENT)
            same(conversation, found, judge_stateful(policy, record, None, 2, established), len(policy.stateful.rules))
            continue
        if kind < 0.9:
            like = sides[side]
            for name in ("src_hi", "src_lo", "dst_hi", "dst_lo", "sport", "dport", "proto", "version", "marks"):
                record[name] = like[name]
            tracked |= ENTRY
        else:
            tracked |= ENTRY | QUOTE
        expected = judge_stateful(policy, record, flow, side, established)
        same(conversation, conversation.packet(record, tracked), expected, len(policy.stateful.rules))


def conversation_without_flow(conversation, record, tracked):
    """A packet that has no entry meets an entry of zeros, which stays so."""
    kept, conversation.entry = conversation.entry, bytearray(len(conversation.entry))
    found = conversation.packet(record, tracked)
    assert not any(conversation.entry)
    conversation.entry = kept
    return found


@settings(deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([0, 1, 4, 12, 70]), st.sets(st.sampled_from(list(StatefulDefault))))
def test_agrees_with_a_scan_over_the_rules(seed, count, default):
    rng = random.Random(seed)
    converse(rng, stage(*[some_stateful_rule(rng) for _ in range(count)], default=tuple(sorted(default))), 12)


def test_agrees_where_rows_have_many_words():
    rng = random.Random(5)
    rules = [some_stateful_rule(rng) for _ in range(1500)]
    packet_rules = [replace(each, type=PACKET, action=Action.ALERT) for each in rules[:700]]
    converse(rng, stage(*packet_rules, *rules, default=(StatefulDefault.DROP_STRICT,)), 60)


def test_an_ip_only_drop_ends_the_flow_and_reports_once():
    talk = Conversation(stage(make_rule(Action.DROP, destination_ports=PortSet(((80, 80),)))))
    assert talk.packet(make_record(dport=80)) == (Verdict.DROP, Reason.RULE_FLOW, 1, 0, [(0, True)])
    assert talk.packet(make_record(sport=80), ENTRY | TO_CLIENT) == (Verdict.DROP, Reason.FLOW_DROP, 1, 0, [])


def test_an_ip_only_alert_fires_once_for_each_direction():
    talk = Conversation(stage(make_rule(Action.ALERT)))
    counts = [len(talk.packet(make_record(), ENTRY | side)[4]) for side in (0, 0, TO_CLIENT, TO_CLIENT, 0)]
    assert counts == [1, 0, 1, 0, 0]


def test_an_alert_with_a_negated_address_fires_on_every_packet():
    elsewhere = ~AddressSet(((1, 1),), ())
    talk = Conversation(stage(make_rule(Action.ALERT, destination=elsewhere, type=RuleType.LIKE_IP_ONLY)))
    assert [len(talk.packet(make_record(), ENTRY | side)[4]) for side in (0, 0, TO_CLIENT)] == [1, 1, 1]


def test_an_ip_only_pass_passes_the_whole_flow():
    talk = Conversation(stage(make_rule(Action.PASS, protocols=frozenset({UDP})), default=(StatefulDefault.DROP_STRICT,)))
    assert talk.packet(make_record(proto=UDP))[:3] == (Verdict.PASS, Reason.RULE_FLOW, 1)
    assert talk.packet(make_record(proto=UDP), ENTRY | TO_CLIENT)[:3] == (Verdict.PASS, Reason.FLOW_PASS, 1)


def test_a_pass_with_flow_leaves_the_replies_to_the_default():
    rule = make_rule(Action.PASS, flow=FlowOption(direction=FlowDirection.TO_SERVER), type=PACKET)
    talk = Conversation(stage(rule, default=(StatefulDefault.DROP_ESTABLISHED,)))
    assert talk.packet(make_record(proto=UDP))[:3] == (Verdict.PASS, Reason.RULE, 0)
    assert talk.packet(make_record(proto=UDP), ENTRY | TO_CLIENT)[:2] == (Verdict.DROP, Reason.DEFAULT_DROP_ESTABLISHED)


def test_a_packet_drop_goes_on_to_later_rules_and_no_pass_undoes_it():
    rules = [make_rule(action, type=PACKET) for action in (Action.DROP, Action.ALERT, Action.PASS, Action.ALERT)]
    assert Conversation(stage(*rules)).packet(make_record()) == (Verdict.DROP, Reason.RULE, 0, 0, [(0, True), (1, False)])


def test_a_pass_ends_the_walk_and_reports_only_with_its_alert_keyword():
    after = make_rule(Action.DROP, type=PACKET)
    silent = Conversation(stage(make_rule(Action.PASS, type=PACKET), after))
    assert silent.packet(make_record()) == (Verdict.PASS, Reason.RULE, 0, 0, [])
    loud = Conversation(stage(make_rule(Action.PASS, type=PACKET, alert=True), after))
    assert loud.packet(make_record())[4] == [(0, False)]


def test_a_silent_drop_still_drops():
    talk = Conversation(stage(make_rule(Action.DROP, type=PACKET, noalert=True), make_rule(Action.ALERT, type=PACKET)))
    assert talk.packet(make_record()) == (Verdict.DROP, Reason.RULE, 0, 0, [(1, False)])


def test_the_first_mark_of_a_flow_stays():
    drop = make_rule(Action.DROP, type=RuleType.LIKE_IP_ONLY)
    talk = Conversation(stage(drop, make_rule(Action.PASS, type=RuleType.LIKE_IP_ONLY)))
    talk.packet(make_record())
    assert talk.packet(make_record())[1] is Reason.FLOW_DROP


def test_a_reject_after_a_drop_adds_its_answer_and_the_flow_is_dropped_later():
    talk = Conversation(stage(make_rule(Action.DROP, type=PACKET), make_rule(Action.REJECT)))
    assert talk.packet(make_record())[:4] == (Verdict.REJECT, Reason.RULE_FLOW, 1, 1)
    assert talk.packet(make_record())[:4] == (Verdict.DROP, Reason.FLOW_DROP, 1, 1)


def test_a_packet_reports_no_more_matches_than_the_limit():
    talk = Conversation(stage(*[make_rule(Action.ALERT, type=PACKET)] * 40, make_rule(Action.DROP, type=PACKET)))
    verdict, _, _, rule, alerts = talk.packet(make_record())
    assert (verdict, rule, len(alerts)) == (Verdict.DROP, 40, 15)


def test_flowbits_carry_over_between_packets_and_are_set_behind_a_pass():
    rules = [
        make_rule(Action.PASS, type=PACKET, protocols=frozenset({6}), conditions=()),
        make_rule(Action.ALERT, type=PACKET, flowbits=(FlowbitOption(FlowbitKind.SET, ("bit69",)),)),
        make_rule(Action.DROP, type=PACKET, flowbits=(FlowbitOption(FlowbitKind.ISSET, ("bit0", "bit69")),)),
    ]
    order = stage(rules[2], *rules[:2])
    talk = Conversation(order)
    assert [talk.packet(make_record())[0] for _ in range(2)] == [Verdict.PASS, Verdict.DROP]


def test_both_halves_of_a_two_way_rule_count_once():
    port = PortSet(((80, 80),))
    rule = make_rule(Action.ALERT, type=PACKET, source_ports=port, bidirectional=True)
    talk = Conversation(stage(rule))
    assert talk.packet(make_record(sport=80, dport=80))[4] == [(0, False)]
    assert talk.packet(make_record(sport=1, dport=80), ENTRY | TO_CLIENT)[4] == [(0, False)]


@pytest.mark.parametrize(
    ("default", "dropped"),
    [
        ("drop_strict", [1, 1, 1, 1, 1]),
        ("drop_established", [0, 0, 1, 0, 1]),
        ("drop_established_app_layer", [0, 0, 1, 1, 1]),
        ("drop_established_app_layer_to_server", [0, 0, 1, 0, 1]),
        ("alert_strict", [0, 0, 0, 0, 0]),
    ],
)
def test_default_actions(default, dropped):
    """SYN, SYN-ACK, data to the server, data to the client, a UDP request."""
    talk = Conversation(stage(default=(StatefulDefault(default),)))
    tracked = [ENTRY, ENTRY | TO_CLIENT, ENTRY | ESTABLISHED, ENTRY | ESTABLISHED | TO_CLIENT]
    found = [talk.packet(make_record(), each) for each in tracked]
    found.append(Conversation(stage(default=(StatefulDefault(default),))).packet(make_record(proto=UDP)))
    assert [int(each[0] is Verdict.DROP) for each in found] == dropped
    silent = default.startswith("drop")
    assert all(not each[4] for each in found) == silent


def test_a_drop_default_with_its_twin_reports_once_as_blocked():
    both = (StatefulDefault.DROP_STRICT, StatefulDefault.ALERT_STRICT)
    assert Conversation(stage(default=both)).packet(make_record())[4] == [(0, True)]


def test_an_alert_fills_in_what_is_known_of_the_flow():
    talk = Conversation(stage(make_rule(Action.ALERT, type=PACKET)))
    entry = np.frombuffer(talk.entry, conntrack_entry.ENTRY, 1)
    for number, name in enumerate(("flow_id", "o_packets", "o_bytes", "r_packets", "r_bytes", "start")):
        entry[name] = 100 + number
    talk.packet(make_record(), ENTRY | TO_CLIENT)
    row = talk.alerts[1]
    assert [int(row[name]) for name in ("flow_id", "o_packets", "o_bytes", "r_packets", "r_bytes", "start")] == [
        *range(100, 106)
    ]
    assert (int(row["direction"]), int(row["packet"]), int(entry["alerts"][0])) == (1, 0, 1)


def test_what_is_remembered_starts_over_with_a_new_entry():
    talk = Conversation(stage(make_rule(Action.DROP, destination_ports=PortSet(((80, 80),)))))
    assert talk.packet(make_record(dport=81))[1] is Reason.NO_RULE
    talk.entry[:] = bytes(len(talk.entry))
    assert talk.packet(make_record(dport=80))[1] is Reason.RULE_FLOW


def test_the_recorder_hears_the_whole_story():
    window = make_rule(Action.DROP, type=PACKET, flowbits=(FlowbitOption(FlowbitKind.ISSET, ("bit0",)),))
    talk = Conversation(stage(window, make_rule(Action.PASS)))
    notes: list[tuple[int, int]] = []
    talk.packet(make_record(), ENTRY, notes)
    talk.packet(make_record(), ENTRY, notes)
    assert notes == [
        (TraceEvent.RULES_ASKED, 8),
        (TraceEvent.CANDIDATES, 2),
        (TraceEvent.FLOWBIT_FAILED, OP_ISSET | 1 << 24),
        (TraceEvent.RESIDUAL_FAILED, 0),
        (TraceEvent.MATCH, 1),
        (TraceEvent.FLOW_MARKED, 1),
        (TraceEvent.DECIDED, 1),
        (TraceEvent.FLOW_VERDICT, flow_state.FLOW_PASS),
    ]
