"""The stateless stage: every packet gets what a scan over the rules gives it."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.generate import make_record, make_rule, some_record, some_rule
from tests.compile.linear import judge_stateless
from twinwall.compile.stateless import compile_stateless
from twinwall.path.classify import stateless
from twinwall.path.layout import MARK_FRAGMENT, MARK_IP, MARK_LATER_FRAGMENT, NO_RULE
from twinwall.path.primitives import Pointer
from twinwall.path.reason import Reason
from twinwall.path.table_layout import H_STEPS, H_WORDS
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import Action, Condition, PacketField, StatelessStage
from twinwall.policy.sets import PortSet
from twinwall.targets import native

ACTIONS = (Action.PASS, Action.DROP, Action.FORWARD)


def judge(table, record, notes=None):
    """Action, reason and rule of one packet, interpreted."""
    packed = stateless(
        Pointer(table.words),
        Pointer(bytearray(record.tobytes()), 0, notes),
        table.header(H_WORDS),
        table.header(H_STEPS),
    )
    return ACTIONS[packed & 0xFF], Reason((packed >> 8) & 0xFF), packed >> 32


def some_stage(rng, count):
    return StatelessStage(
        tuple(some_rule(rng) for _ in range(count)),
        default=rng.choice(ACTIONS),
        fragments=rng.choice(ACTIONS),
        other_fragments=rng.choice([None, *ACTIONS]),
    )


@settings(deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([0, 1, 3, 20, 70]))
def test_agrees_with_a_scan_over_the_rules(seed, count):
    rng = random.Random(seed)
    stage = some_stage(rng, count)
    table = compile_stateless(stage)
    for _ in range(20):
        record = some_record(rng)
        assert judge(table, record) == judge_stateless(stage, record)


@pytest.mark.parametrize("count", [513, 4200])
def test_agrees_where_rows_have_many_words(count):
    rng = random.Random(count)
    stage = some_stage(rng, count)
    table = compile_stateless(stage)
    for _ in range(150):
        record = some_record(rng)
        assert judge(table, record) == judge_stateless(stage, record)


def test_the_last_of_many_rules_is_found():
    never = make_rule(Action.DROP, destination_ports=PortSet(((9, 9),)))
    stage = StatelessStage((*[never] * 5000, make_rule(Action.PASS)))
    assert judge(compile_stateless(stage), make_record(dport=80)) == (Action.PASS, Reason.STATELESS_RULE, 5000)


def test_of_two_rules_the_first_decides():
    stage = StatelessStage((make_rule(Action.FORWARD), make_rule(Action.DROP)))
    assert judge(compile_stateless(stage), make_record()) == (Action.FORWARD, Reason.STATELESS_RULE, 0)


def test_fragments_have_their_own_default_and_udp_may_differ():
    stage = StatelessStage(default=Action.PASS, fragments=Action.FORWARD, other_fragments=Action.DROP)
    table = compile_stateless(stage)
    marks = MARK_IP | MARK_FRAGMENT | MARK_LATER_FRAGMENT
    expected = Reason.STATELESS_FRAGMENT_DEFAULT
    assert judge(table, make_record(proto=17, marks=marks)) == (Action.FORWARD, expected, NO_RULE)
    assert judge(table, make_record(proto=6, marks=marks)) == (Action.DROP, expected, NO_RULE)
    assert judge(table, make_record(proto=6)) == (Action.PASS, Reason.STATELESS_DEFAULT, NO_RULE)


def test_a_later_fragment_has_neither_ports_nor_flags():
    ports = make_rule(Action.DROP, destination_ports=~PortSet(((80, 80),)))
    flags = make_rule(Action.DROP, conditions=(Condition(PacketField.TCP_FLAGS, ((2, 2),), negated=True),))
    table = compile_stateless(StatelessStage((ports, flags)))
    later = make_record(marks=MARK_IP | MARK_FRAGMENT | MARK_LATER_FRAGMENT)
    assert judge(table, later)[1] is Reason.STATELESS_FRAGMENT_DEFAULT


def test_the_recorder_hears_what_decided():
    table = compile_stateless(StatelessStage((make_rule(Action.DROP, protocols=frozenset({6})),)))
    notes: list[tuple[int, int]] = []
    judge(table, make_record(), notes)
    judge(table, make_record(proto=17), notes)
    judge(table, make_record(proto=17, marks=MARK_IP | MARK_FRAGMENT), notes)
    assert [event for event, _ in notes] == [
        TraceEvent.STATELESS_RULE,
        TraceEvent.STATELESS_DEFAULT,
        TraceEvent.STATELESS_FRAGMENT_DEFAULT,
    ]


def test_native_code_says_the_same():
    rng = random.Random(11)
    stage = some_stage(rng, 600)
    table = compile_stateless(stage)
    compiled = native.load({"stateless": stateless}).functions["stateless"]
    for _ in range(2000):
        record = some_record(rng)
        own = np.ascontiguousarray(record).reshape(1)
        packed = compiled(table.words.ctypes.data, own.ctypes.data, table.header(H_WORDS), table.header(H_STEPS))
        assert (ACTIONS[packed & 0xFF], Reason((packed >> 8) & 0xFF), packed >> 32) == judge(table, record)
