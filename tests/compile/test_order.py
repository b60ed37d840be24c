"""Search order: a permutation that keeps the written order inside a word and brings like entries together."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.generate import make_rule, some_rule
from twinwall.compile.entries import entries_of
from twinwall.compile.order import search_order
from twinwall.policy.sets import AddressSet


@settings(deadline=None)
@given(st.integers(0, 1 << 32), st.integers(0, 200))
def test_every_entry_stands_once_and_words_ascend(seed, count):
    rng = random.Random(seed)
    order = search_order(entries_of([some_rule(rng) for _ in range(count)])).tolist()
    assert sorted(order) == list(range(len(order)))
    for start in range(0, len(order), 64):
        assert order[start : start + 64] == sorted(order[start : start + 64])


def test_rules_of_one_source_share_a_word():
    hosts = [AddressSet(((host, host),), ()) for host in range(8)]
    entries = entries_of([make_rule(source=hosts[number % 8]) for number in range(512)])
    order = search_order(entries)
    for start in range(0, 512, 64):
        assert len({entries[place].source for place in order[start : start + 64]}) == 1
