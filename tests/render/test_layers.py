"""Layers: looked up step by step, they find for every packet what the list finds first, second, third."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.policy.sets import TOP_PORT, TOP_V4
from twinwall.render import layers
from twinwall.render.layers import MANY_EXACT, plan_steps
from twinwall.render.match import Guard, Match

TOP = 3
ANY = ((0, TOP_V4),)
ANY_PORT = ((0, TOP_PORT),)
intervals = st.one_of(
    st.just(ANY),
    st.sets(st.integers(0, TOP), min_size=1, max_size=3).map(lambda values: tuple((each, each) for each in sorted(values))),
    st.tuples(st.integers(0, TOP), st.integers(0, TOP)).map(lambda pair: (tuple(sorted(pair)),)),
)
ports = st.one_of(st.just(ANY_PORT), st.integers(0, TOP).map(lambda value: ((value, value),)))
matches = st.lists(
    st.tuples(
        intervals, intervals, ports, ports, st.integers(1, 3), st.sampled_from([Guard(), Guard("tcp flags syn")]), st.booleans()
    ),
    max_size=25,
).map(
    lambda rows: [
        Match(place, place + 1, place + 1, row[:4], contexts=row[4], guard=row[5], whole=row[6])
        for place, row in enumerate(rows)
    ]
)
POINTS = list(product(range(TOP + 1), repeat=3))


def fits(match: Match, point) -> bool:
    values = (point[0], point[1], 1, point[2])
    return all(any(low <= value <= high for low, high in part) for part, value in zip(match.region, values, strict=True))


def by_list(rules, point, context, guards) -> list[int]:
    return [rule.place for rule in rules if rule.contexts >> context & 1 and rule.guard.text in guards and fits(rule, point)]


def by_steps(plan, point, context, guards) -> list[int]:
    """What a packet finds, one lookup a step: in each at most one."""
    found = []
    for step in plan.steps:
        if step.contexts >> context & 1 and step.guard.text in guards:
            hits = [unit.match.place for unit in plan.units_of(step) if in_unit(unit, point)]
            assert len(hits) <= 1, "two elements of one map hold the same packet"
            found += hits
    return found


def in_unit(unit, point) -> bool:
    values = (point[0], point[1], 1, point[2])
    if unit.whole:
        return fits(unit.match, point)
    return all(low <= value <= high for (low, high), value in zip(unit.box, values, strict=True))


@given(matches)
def test_steps_find_what_the_list_finds_in_the_same_order(rules):
    plan = plan_steps(rules, 4)
    for context in (0, 1):
        for guards in ({""}, {"", "tcp flags syn"}):
            for point in POINTS:
                assert by_steps(plan, point, context, guards) == by_list(rules, point, context, guards)


@given(matches, st.sampled_from([1, 10, layers.TOGETHER]))
def test_pairs_are_the_overlaps(rules, together):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "TOGETHER", together)
        plan = plan_steps(rules, 4)
    for at, earlier in enumerate(plan.pairs):
        assert all(each < at for each in earlier.tolist())
        for other in range(at):
            mine, its = plan.units[at], plan.units[other]
            meet = all(max(a[0], b[0]) <= min(a[1], b[1]) for a, b in zip(mine.box, its.box, strict=True))
            assert (other in earlier.tolist()) == (meet and mine.match.contexts & its.match.contexts != 0)


def server(place: int, low: int, high: int) -> Match:
    return Match(place, place + 1, place + 1, (ANY, ((low, high),), ANY_PORT, ((443, 443),)))


def test_rules_that_do_not_meet_are_one_lookup():
    plan = plan_steps([server(place, place * 10, place * 10 + 3) for place in range(1000)], 4)
    assert len(plan.steps) == 1


def test_lookups_are_as_many_as_rules_lie_over_each_other():
    nested = [server(place, 0, 1000 - place) for place in range(5)]
    beside = [server(5 + place, 2000 + place * 2, 2001 + place * 2) for place in range(100)]
    assert len(plan_steps([*nested, *beside], 4).steps) == 5


def test_many_single_values_are_kept_out_of_the_map_of_ranges():
    hosts = [server(place, place, place) for place in range(MANY_EXACT)]
    ranges = [server(MANY_EXACT + place, 1000 + place * 10, 1005 + place * 10) for place in range(3)]
    assert sorted(len(step.places) for step in plan_steps([*hosts, *ranges], 4).steps) == [3, MANY_EXACT]


def test_a_rule_that_asks_nothing_is_a_line():
    (step,) = plan_steps([Match(0, 1, 1, (ANY, ANY, ANY_PORT, ANY_PORT))], 4).steps
    assert step.whole
