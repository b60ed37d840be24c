"""Matches: boxes, hulls, and what is left of a match when another is taken out of it."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from twinwall.policy.sets import normalise
from twinwall.render.match import MOST_BOXES, TOPS, Match, asked_fields, everything, without

TOP = 7
small = st.lists(st.tuples(st.integers(0, TOP), st.integers(0, TOP)).map(lambda pair: tuple(sorted(pair))), max_size=3).map(
    normalise
)
regions = st.tuples(small, small, small, small)
POINTS = [(a, b, 3, d) for a, b, d in product(range(TOP + 1), repeat=3)]


def match(region) -> Match:
    return Match(0, 1, 0, region)


def holds(region, point) -> bool:
    return all(any(low <= value <= high for low, high in part) for part, value in zip(region, point, strict=True))


@given(regions, regions)
def test_what_is_left_is_what_was_there_without_what_was_taken(region, taken):
    parts = list(without(match(region), taken, 4))
    for point in POINTS:
        inside = sum(holds(part.region, point) for part in parts)
        assert inside == (holds(region, point) and not holds(taken, point))


@given(regions)
def test_boxes_are_the_match(region):
    for point in POINTS:
        inside = sum(
            all(low <= value <= high for (low, high), value in zip(box, point, strict=True)) for box in match(region).boxes
        )
        assert inside == holds(region, point)


def test_a_match_of_too_many_boxes_stays_whole():
    many = tuple((number, number) for number in range(0, 2 * MOST_BOXES + 2, 2))
    one = ((1, 1),)
    assert match((many[:MOST_BOXES], one, one, one)).boxes
    assert not match((many[: MOST_BOXES + 1], one, one, one)).boxes
    assert match((many, one, one, one)).hull[0] == (0, 2 * MOST_BOXES)


def test_a_match_with_an_empty_side_is_empty():
    one = ((1, 1),)
    assert match((one, (), one, one)).is_empty
    assert not match((one, one, one, one)).is_empty


def test_fields_that_a_box_asks_for():
    for family in TOPS:
        anything = everything(family)
        assert asked_fields([anything], family) == ()
        assert asked_fields([anything, (anything[0], (5, 5), anything[2], (80, 90))], family) == (1, 3)
