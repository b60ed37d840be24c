from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twinwall.conntrack.entry import ENTRY_WORDS
from twinwall.engine import desk as d
from twinwall.engine.counters import TALKER_BUCKETS, empty_desk
from twinwall.path.layout import DECISION_BYTES, RECORD_WORDS
from twinwall.path.reason import CtState, Reason, StageName, Verdict


def test_settings_do_not_overlap():
    single = [value for name, value in vars(d).items() if name.startswith("D_")]
    assert len(single) == len(set(single))
    assert d.D_SCRATCH + RECORD_WORDS + DECISION_BYTES // 8 <= d.D_SPARE_ENTRY
    assert d.D_SPARE_ENTRY + ENTRY_WORDS <= d.D_INTERFACES
    assert d.D_INTERFACES + 256 <= d.SETTINGS


def test_every_outcome_has_a_place():
    stages, reasons, verdicts, labels, _ = d.COUNT_SHAPE
    assert (len(StageName), len(Verdict)) == (stages, verdicts)
    assert max(Reason) < reasons
    assert max(CtState) < labels


@given(st.integers(0, 50), st.integers(0, 50))
def test_sections_follow_one_another_without_a_gap(stateless, stateful):
    desk = empty_desk(stateless, stateful)
    assert int(desk[d.D_STATELESS_HITS]) == d.HITS
    assert int(desk[d.D_STATEFUL_HITS]) == d.HITS + 2 * stateless
    assert int(desk[d.D_TALKERS]) == d.HITS + 2 * (stateless + stateful)
    assert len(desk) == int(desk[d.D_TALKERS]) + TALKER_BUCKETS * d.TALKER_WAYS * d.TALKER_WORDS
