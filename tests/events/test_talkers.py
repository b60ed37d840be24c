from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.events.batches import rows
from twinwall.engine.batch import address_text
from twinwall.events.talkers import Talker, Talkers
from twinwall.path.layout import RECORD

sources = st.tuples(st.sampled_from([4, 6]), st.integers(0, 1), st.integers(0, 3))


def added(talkers: Talkers, packets: list) -> Talkers:
    records = rows(RECORD, [{"version": version, "src_hi": high, "src_lo": low} for version, high, low in packets])
    talkers.add(records, np.full(len(packets), 100, dtype=np.uint32))
    return talkers


@given(st.lists(st.lists(sources)))
def test_counts_are_exact_below_the_capacity(batches):
    talkers = Talkers()
    for packets in batches:
        added(talkers, packets)
    seen = [source for packets in batches for source in packets]
    expected = sorted((-seen.count(source), source) for source in set(seen))
    assert talkers.top(100) == tuple(Talker(address_text(*source), -count, -100 * count) for count, source in expected)
    assert talkers.exact


def test_beyond_the_capacity_the_largest_stay():
    talkers = added(Talkers(capacity=4), [(4, 0, 9)] * 5 + [(4, 0, low) for low in range(5)])
    assert not talkers.exact
    assert talkers.top(1) == (Talker("0.0.0.9", 5, 500),)
    assert len(talkers.top(100)) == 2
