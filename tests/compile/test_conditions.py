"""Conditions on small fields as the values they accept, and these as intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.compile.conditions import accepted_values, intervals_of
from twinwall.policy.model import Condition, PacketField

F = PacketField


def values(*conditions, field=F.TTL, size=256):
    return set(np.flatnonzero(accepted_values(conditions, field, size)).tolist())


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((), set(range(256))),
        ((Condition(F.TTL, ((3, 5), (255, 255))),), {3, 4, 5, 255}),
        ((Condition(F.TTL, ((1, 255),), negated=True),), {0}),
        ((Condition(F.TTL, ((2, 9),)), Condition(F.TTL, ((5, 20),))), {5, 6, 7, 8, 9}),
        ((Condition(F.TTL, ((2, 2),), 0x12),), {value for value in range(256) if value & 0x12 == 2}),
        ((Condition(F.TTL, ((2, 2),), 0x12, negated=True),), {value for value in range(256) if value & 0x12 != 2}),
        ((Condition(F.TTL, ((7, 7),)), Condition(F.TOS, ((9, 9),))), {7}),  # another field's condition does not count
        ((Condition(F.TTL, ((300, 400),)),), set()),
    ],
)
def test_accepted_values(conditions, expected):
    assert values(*conditions) == expected


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)).map(sorted), min_size=1), st.integers(0, 255), st.booleans()
)
def test_a_value_is_accepted_as_the_condition_says(ranges, mask, negated):
    found = values(Condition(F.TTL, tuple(map(tuple, ranges)), mask, negated=negated))
    for value in range(256):
        assert (value in found) == (any(low <= value & mask <= high for low, high in ranges) != negated)


@given(st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=1, max_size=4), st.data())
def test_intervals_cover_what_is_accepted_and_nothing_else(accepted, data):
    which = data.draw(st.lists(st.integers(0, len(accepted) - 1), max_size=5))
    found = intervals_of(which, [np.array(each) for each in accepted])
    assert list(found.entry) == sorted(found.entry)
    cells = np.zeros((len(which), 8), int)
    for entry, start, stop in zip(found.entry, found.start, found.stop, strict=True):
        assert start < stop
        cells[entry, start:stop] += 1
    assert cells.tolist() == [[int(cell) for cell in accepted[number]] for number in which]
