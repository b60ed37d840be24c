"""Contexts and flow places: each leads to the rules that accept it."""

from __future__ import annotations

import pytest

from tests.compile.generate import make_rule
from tests.compile.test_rows import row_bits
from twinwall.compile.contexts import CONTEXTS, asks_context, compile_contexts, flow_bits
from twinwall.compile.entries import entries_of
from twinwall.compile.rows import RowPool
from twinwall.policy.model import Condition, FlowDirection, FlowOption, PacketField, RuleType

F = PacketField
LATER, IPV6, REASSEMBLED = 2, 4, 8


def rules_at(compile_field, rules, place):
    pool = RowPool(len(rules))
    return row_bits(pool, compile_field(entries_of(rules), pool)[place])


RULES = [
    make_rule(),
    make_rule(conditions=(Condition(F.FRAGMENT, ((0, 0),)),)),
    make_rule(conditions=(Condition(F.FRAGMENT, ((1, 1),)),)),
    make_rule(conditions=(Condition(F.FRAGMENT, ((2, 2),)),)),
    make_rule(conditions=(Condition(F.IP_VERSION, ((4, 4),)),)),
    make_rule(conditions=(Condition(F.IP_VERSION, ((4, 4),), negated=True),)),
    make_rule(conditions=(Condition(F.INTERFACE, ((1, 1), (200, 255))),)),
    make_rule(flow=FlowOption(fragment=True)),
    make_rule(flow=FlowOption(fragment=False)),
    make_rule(conditions=(Condition(F.TTL, ((1, 1),)),)),  # not of this table
]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (0, {0, 1, 4, 8, 9}),
        (1, {0, 2, 4, 8, 9}),
        (LATER, {0, 3, 4, 8, 9}),
        (LATER | 1, {0, 3, 4, 8, 9}),  # a later piece has both marks
        (IPV6, {0, 1, 5, 8, 9}),
        (REASSEMBLED, {0, 1, 4, 7, 9}),
        (1 << 4, {0, 1, 4, 6, 8, 9}),
        (2 << 4, {0, 1, 4, 8, 9}),
        (255 << 4 | REASSEMBLED | IPV6, {0, 1, 5, 6, 7, 9}),
    ],
)
def test_a_context_leads_to_its_rules(place, expected):
    assert rules_at(compile_contexts, RULES, place) == expected


def test_every_context_has_a_row():
    pool = RowPool(len(RULES))
    assert len(compile_contexts(entries_of(RULES), pool)) == CONTEXTS == 256 * 16


def test_only_rules_with_such_a_condition_ask_for_the_context():
    assert {number for number, each in enumerate(entries_of(RULES)) if asks_context(each)} == set(range(1, 9))


SERVER, CLIENT = FlowDirection.TO_SERVER, FlowDirection.TO_CLIENT
FLOW_RULES = [
    make_rule(type=RuleType.PACKET),
    make_rule(type=RuleType.IP_ONLY),
    make_rule(type=RuleType.LIKE_IP_ONLY),
    make_rule(type=RuleType.PACKET, flow=FlowOption(direction=SERVER)),
    make_rule(type=RuleType.PACKET, flow=FlowOption(direction=CLIENT)),
    make_rule(type=RuleType.PACKET, flow=FlowOption(established=True)),
    make_rule(type=RuleType.PACKET, flow=FlowOption(direction=CLIENT, established=False)),
    make_rule(type=RuleType.PACKET, flow=FlowOption(stateless=True)),
    make_rule(type=RuleType.PACKET, flow=FlowOption(stream=True)),  # what is judged are packets, never a stream
    make_rule(type=RuleType.PACKET, flow=FlowOption(stream=False)),
]
NO_FLOW, ESTABLISHED, FIRST = 2, 4, 8


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (0, {0, 2, 3, 7, 9}),
        (1, {0, 2, 4, 6, 7, 9}),
        (FIRST, {0, 1, 2, 3, 7, 9}),
        (FIRST | 1, {0, 1, 2, 4, 6, 7, 9}),
        (ESTABLISHED, {0, 2, 3, 5, 7, 9}),
        (ESTABLISHED | 1, {0, 2, 4, 5, 7, 9}),
        (NO_FLOW | FIRST, {0, 1, 2, 3, 7, 9}),  # as a flow's first packet, to the server
        (NO_FLOW | FIRST | 1, {0, 1, 2, 4, 6, 7, 9}),  # a SYN-ACK
    ],
)
def test_a_place_in_the_flow_leads_to_its_rules(place, expected):
    assert {number for number, rule in enumerate(FLOW_RULES) if flow_bits(rule) >> place & 1} == expected
