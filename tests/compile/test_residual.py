"""Residual programs: only what rows do not hold, equal programs once, flowbits by the policy's numbering."""

from __future__ import annotations

import pytest

from tests.compile.generate import make_rule
from twinwall.compile.residual import Programs
from twinwall.path.table_layout import OP_END, OP_ISNOTSET, OP_ISSET, OP_RANGES, OP_SET, OP_TOGGLE, OP_UNSET
from twinwall.policy.model import Condition, FlowbitKind, FlowbitOption, PacketField

F, K = PacketField, FlowbitKind
BITS = ("a", "b", "c")


def program(rule):
    """The words of one rule's program, None if it needs none."""
    programs = Programs(BITS)
    place = programs.add(rule)
    return programs.words[place:] if place else None


@pytest.mark.parametrize("field", [F.PROTOCOL, F.TCP_FLAGS, F.ICMP_TYPE, F.ICMP_CODE, F.FRAGMENT, F.INTERFACE, F.IP_VERSION])
def test_what_rows_hold_needs_no_program(field):
    assert program(make_rule(conditions=(Condition(field, ((1, 1),)),))) is None


def test_a_rule_without_conditions_needs_none():
    assert program(make_rule()) is None


@pytest.mark.parametrize("field", sorted(set(F) - {F.PROTOCOL, F.TCP_FLAGS, F.ICMP_TYPE, F.ICMP_CODE, F.FRAGMENT, F.INTERFACE,
                                                   F.IP_VERSION}))  # fmt: skip
@pytest.mark.parametrize("negated", [False, True])
def test_every_other_field_becomes_a_test(field, negated):
    ranges = ((1, 2), (5, 0xFFFFFFFF))
    head, *rest = program(make_rule(conditions=(Condition(field, ranges, 0xF0, negated=negated),)))
    assert (head & 0xFF, head >> 8 & 0xFF, head >> 16 & 1, head >> 24 & 0xFF, head >> 32) == (
        OP_RANGES,
        field,
        negated,
        2,
        0xF0,
    )
    assert [(word & 0xFFFFFFFF, word >> 32) for word in rest[:2]] == list(ranges)
    assert rest[2:] == [OP_END, OP_END]


def test_tests_come_before_effects_and_names_become_numbers():
    options = (
        FlowbitOption(K.SET, ("c",)),
        FlowbitOption(K.ISSET, ("a", "b")),
        FlowbitOption(K.TOGGLE, ("b",)),
        FlowbitOption(K.ISNOTSET, ("c",)),
        FlowbitOption(K.UNSET, ("a",)),
    )
    assert program(make_rule(flowbits=options)) == [
        OP_ISSET | 2 << 24, 0, 1, OP_ISNOTSET | 1 << 24, 2, OP_END, OP_SET | 2 << 32, OP_TOGGLE | 1 << 32, OP_UNSET, OP_END,
    ]  # fmt: skip


def test_equal_programs_are_stored_once():
    programs = Programs(BITS)
    ttl = Condition(F.TTL, ((1, 1),))
    one = programs.add(make_rule(conditions=(ttl,)))
    size = len(programs.words)
    assert programs.add(make_rule(sid=2, conditions=(ttl, Condition(F.PROTOCOL, ((6, 6),))))) == one
    assert len(programs.words) == size
    other = programs.add(make_rule(conditions=(Condition(F.TTL, ((1, 2),)),)))
    assert other == size
