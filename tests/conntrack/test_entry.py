"""An entry's memory: words of the packet path and fields of NumPy are one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from twinwall.conntrack import entry as layout
from twinwall.conntrack.entry import ENTRY, ENTRY_BYTES, ENTRY_END_REASON, ENTRY_STATE, ENTRY_WORDS

WORDS = {
    layout.E_SRC_HI: ["src_hi"], layout.E_SRC_LO: ["src_lo"], layout.E_DST_HI: ["dst_hi"], layout.E_DST_LO: ["dst_lo"],
    layout.E_KEY: ["sport", "dport", "proto", "version", "state"],
    layout.E_LINK: ["next", "hash"],
    layout.E_DEADLINE: ["deadline"],
    layout.E_STATUS: ["status"],
    layout.E_O_PACKETS: ["o_packets"], layout.E_O_BYTES: ["o_bytes"],
    layout.E_R_PACKETS: ["r_packets"], layout.E_R_BYTES: ["r_bytes"],
    layout.E_START: ["start"], layout.E_LAST_SEEN: ["last_seen"], layout.E_FLOW_ID: ["flow_id"],
    layout.E_VERDICT: ["rule", "verdict", "scope_seen", "alerts"],
    layout.E_SEEN: ["o_flags", "r_flags", "o_min_ttl", "o_max_ttl", "r_min_ttl", "r_max_ttl", "end_reason"],
    layout.E_O_START: ["o_start"], layout.E_R_START: ["r_start"],
}  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_the_fields_that_its_comment_names_from_the_lowest_bit_up(word):
    words = np.zeros(ENTRY_WORDS, np.uint64)
    words[word] = value = 0x123456789ABCDEF1
    entry, shift = words.view(ENTRY)[0], 0
    for name in WORDS[word]:
        bits = 8 * ENTRY.fields[name][0].itemsize
        assert entry[name] == value >> shift & ((1 << bits) - 1), name
        shift += bits


def test_every_field_belongs_to_a_word_and_none_overlap():
    assert sorted(name for names in WORDS.values() for name in names) == sorted(ENTRY.names)
    places = sorted((offset, offset + field.itemsize) for field, offset, *_ in ENTRY.fields.values())
    assert all(stop <= start for (_, stop), (start, _) in pairwise(places))
    assert ENTRY.itemsize == ENTRY_BYTES == 8 * ENTRY_WORDS


def test_bytes_that_are_written_alone_are_the_fields():
    assert (ENTRY.fields["state"][1], ENTRY.fields["end_reason"][1]) == (ENTRY_STATE, ENTRY_END_REASON)


@pytest.mark.parametrize("prefix", ["E_", "END_"])
def test_numbers_are_told_apart(prefix):
    numbers = [value for name, value in vars(layout).items() if name.startswith(prefix)]
    assert len(set(numbers)) == len(numbers)


def test_marks_of_the_status_are_told_apart():
    marks = [value for name, value in vars(layout).items() if name.startswith("ST_")]
    assert sum(marks) == np.bitwise_or.reduce(marks)
