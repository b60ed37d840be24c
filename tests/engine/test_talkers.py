from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twinwall.engine.batch import RuleBook
from twinwall.engine.counters import Counters, empty_desk
from twinwall.engine.desk import D_TALKER_MASK, TALKER_WAYS
from twinwall.engine.talkers import count_talker
from twinwall.path.layout import RECORD
from twinwall.path.primitives import Pointer


def counted(sources, mask):
    desk = empty_desk(0, 0)
    desk[D_TALKER_MASK] = mask
    for source in sources:
        record = np.zeros(1, RECORD)
        record["src_lo"], record["version"] = source, 4
        count_talker(Pointer(desk.view(np.uint8).data), Pointer(record.view(np.uint8).data), 100)
    return Counters(desk, RuleBook()).dropped_talkers(1000)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=60))
def test_counts_are_exact_while_no_bucket_overflows(sources):
    talkers = counted([source for source in sources if len(set(sources)) <= TALKER_WAYS], 0)
    assert sum(talker.packets for talker in talkers) == (len(sources) if len(set(sources)) <= TALKER_WAYS else 0)
    assert all(talker.bytes == 100 * talker.packets for talker in talkers)


@given(st.lists(st.integers(0, 9), max_size=80))
def test_a_full_bucket_never_counts_too_low_and_never_misses_a_heavy_source(sources):
    found = {talker.address: talker.packets for talker in counted(sources, 0)}
    for source in set(sources):
        count = sources.count(source)
        name = f"0.0.0.{source}"
        if name in found:
            assert found[name] >= count
        assert name in found or count <= len(sources) / TALKER_WAYS
