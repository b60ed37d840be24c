"""The bits of marks: no two ideas share one, and generations are numbered so that two can be told apart."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.render import marks
from twinwall.render.marks import GENERATIONS, STAMPS, RuleAction, Stamp, next_generation, slot

DECISION = ("RULE_NUMBER", "ACTION_MASK", "SCOPE_FLOW", "REPORTS", "FAST", "LAST", "STATELESS_PASS", "BRIDGED")
CONNECTION = (
    "CT_RULE", "CT_PASS", "CT_DROP", "CT_FAST_ORIGINAL", "CT_FAST_REPLY", "CT_FAST_REPLY_NO_RULE", "CT_ESTABLISHED",
    "CT_HALF_OPEN", "CT_SEEN_ORIGINAL", "CT_SEEN_REPLY", "CT_GENERATION",
)  # fmt: skip


@pytest.mark.parametrize("names", [DECISION, CONNECTION])
def test_no_two_ideas_share_a_bit_of_a_mark(names):
    values = {name: getattr(marks, name) for name in names}
    assert [(a, b) for a, b in combinations(values, 2) if values[a] & values[b]] == []
    assert all(0 < value < 1 << 32 for value in values.values())


def test_every_name_of_the_connection_mark_is_among_them():
    named = {name for name in vars(marks) if name.startswith("CT_") and not name.endswith("_SHIFT")}
    assert named == set(CONNECTION)


def test_the_two_stamps_stand_beside_each_other_and_beside_nothing_else():
    first, second = (marks.STAMP_MASK << shift for shift in marks.STAMP_SHIFTS)
    assert first & second == 0
    assert first | second == STAMPS
    assert all(stamp <= marks.STAMP_MASK for stamp in Stamp)
    assert STAMPS & (marks.STATELESS_PASS | marks.LAST | marks.RULE_NUMBER | marks.ACTION_MASK) == 0


def test_every_action_has_room():
    assert all((action << marks.ACTION_SHIFT) & ~marks.ACTION_MASK == 0 for action in RuleAction)


def test_every_generation_has_room_and_none_is_what_an_untouched_connection_has():
    written = {number << marks.CT_GENERATION_SHIFT & marks.CT_GENERATION for number in range(1, GENERATIONS + 1)}
    assert len(written) == GENERATIONS
    assert 0 not in written


@given(st.integers(0, GENERATIONS), st.frozensets(st.integers(1, GENERATIONS)))
def test_the_next_generation_can_be_told_from_the_one_in_force_and_from_those_that_live_on(generation, kept):
    others = {number for number in range(1, GENERATIONS + 1) if slot(number) != slot(generation)} - kept
    if others:
        assert next_generation(generation, kept) in others
    else:
        with pytest.raises(ValueError, match="too many earlier policies"):
            next_generation(generation, kept)


def test_all_numbers_are_used_before_one_comes_again():
    """A connection that slept through many changes is not taken for one of the next policy's any sooner than it must be."""
    seen, generation = [], 0
    for _ in range(GENERATIONS - 1):
        generation = next_generation(generation)
        seen.append(generation)
    assert len(set(seen)) == len(seen)
