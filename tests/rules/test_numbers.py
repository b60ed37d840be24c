"""The number grammar, by its meaning: which values satisfy a comparison."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.policy.model import Condition, PacketField
from twinwall.rules.located import Mistake
from twinwall.rules.numbers import print_comparison, read_comparison, read_plain

OPERATORS = {
    "": lambda value, bound: value == bound,
    "=": lambda value, bound: value == bound,
    "!": lambda value, bound: value != bound,
    "!=": lambda value, bound: value != bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def holds(condition: Condition, value: int) -> bool:
    return any(low <= value <= high for low, high in condition.ranges) is not condition.negated


@given(st.sampled_from(sorted(OPERATORS)), st.integers(0, 255))
def test_a_comparison_means_what_it_says_and_prints_as_itself(operator, bound):
    expected = {value for value in range(256) if OPERATORS[operator](value, bound)}
    try:
        condition = read_comparison(f" {operator} {bound} ", PacketField.TTL, 255)
    except Mistake:
        assert not expected or len(expected) == 256
        return
    assert {value for value in range(256) if holds(condition, value)} == expected
    assert read_comparison(print_comparison(condition, 255), PacketField.TTL, 255) == condition


@given(st.integers(0, 255), st.integers(0, 255), st.sampled_from(["-", "<>"]))
def test_a_range_leaves_out_both_ends(low, high, sign):
    expected = {value for value in range(256) if low < value < high}
    try:
        condition = read_comparison(f"{low}{sign}{high}", PacketField.TTL, 255)
    except Mistake:
        assert not expected
        return
    assert {value for value in range(256) if holds(condition, value)} == expected


def test_units_count_in_powers_of_two_and_only_where_they_mean_something():
    assert read_comparison("2KB", PacketField.PAYLOAD_LENGTH, 65535, units=True).ranges == ((2048, 2048),)
    with pytest.raises(Mistake):
        read_comparison("2kb", PacketField.TTL, 255)


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "0x10", "256", "٣", "1 2"])
def test_other_texts_are_no_numbers(text):
    with pytest.raises(Mistake):
        read_plain(text, 255)
