"""Sequence numbers compared modulo 2**32."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.conntrack.protocols.sequence import after, before

NUMBERS = st.integers(0, 0xFFFFFFFF)


@pytest.mark.parametrize(("left", "right"), [(1, 2), (0xFFFFFFFF, 0), (0xFFFFFF00, 0x100), (0, 0x7FFFFFFF)])
def test_order(left: int, right: int):
    assert (before(left, right), after(left, right)) == (1, 0)
    assert (before(right, left), after(right, left)) == (0, 1)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_only_the_distance_counts(left: int, right: int, shift: int):
    assert before(left, right) == before((left + shift) & 0xFFFFFFFF, right + shift)
    assert before(left, left) == after(left, left) == 0
