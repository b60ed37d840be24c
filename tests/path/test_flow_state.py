"""What rules and tracker tell each other: the same words of an entry, and marks that fit between label and index."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from twinwall.conntrack import entry
from twinwall.conntrack.entry import ENTRY
from twinwall.path import flow_state
from twinwall.path.flow_state import E_VERDICT, FLOW_DROP, FLOW_OPEN, FLOW_PASS, FLOW_REJECT

MARKS = {name: value for name, value in vars(flow_state).items() if name.startswith("TRACK_")}
NAMED = {"E_O_PACKETS": "o_packets", "E_O_BYTES": "o_bytes", "E_R_PACKETS": "r_packets", "E_R_BYTES": "r_bytes",
         "E_START": "start", "E_FLOW_ID": "flow_id"}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in vars(flow_state) if name.startswith("E_")])
def test_a_word_has_one_place_for_both(name):
    assert getattr(flow_state, name) == getattr(entry, name)


def test_marks_leave_room_for_label_direction_and_index():
    assert all(1 << 16 <= mark < 1 << 32 for mark in MARKS.values())
    assert all(one & two == 0 for one, two in combinations(MARKS.values(), 2))


@pytest.mark.parametrize("word", NAMED)
def test_counters_are_the_entry_s(word):
    words = np.zeros(32, np.uint64)
    words[getattr(flow_state, word)] = 0x1122334455667788
    assert words.view(ENTRY)[0][NAMED[word]] == 0x1122334455667788


def test_the_verdict_s_word_is_four_fields_of_the_entry():
    words = np.zeros(32, np.uint64)
    words[E_VERDICT] = 0xBEEF_03_02_12345678
    found = words.view(ENTRY)[0]
    assert (found["rule"], found["verdict"], found["scope_seen"], found["alerts"]) == (0x12345678, 2, 3, 0xBEEF)


def test_a_new_entry_is_open():
    assert np.zeros(1, ENTRY)[0]["verdict"] == FLOW_OPEN
    assert len({FLOW_OPEN, FLOW_PASS, FLOW_DROP, FLOW_REJECT}) == 4
