"""The first words of a table: each has a place of its own, arrays included."""

from __future__ import annotations

import numpy as np

from tests.conntrack.segments import Pair
from tests.conntrack.tracked import KEY, Tracked
from twinwall.conntrack import header as h
from twinwall.conntrack.table import ConnectionTable
from twinwall.policy.model import Tracking

NUMBERS = {name: value for name, value in vars(h).items() if name.startswith("H_")}
ARRAYS = {"H_TUPLE": 4, "H_TCP_TIMEOUT": 10, "H_SCTP_TIMEOUT": 9, "H_TCP_KINDS": 4, "H_TCP_ROWS": 12, "H_SCTP_ROWS": 32}


def test_no_word_lies_in_another_s_place():
    taken = [word for name, start in NUMBERS.items() for word in range(start, start + ARRAYS.get(name, 1))]
    assert len(set(taken)) == len(taken)
    assert max(taken) < h.HEADER_WORDS


def test_sections_lie_one_behind_the_other():
    table = ConnectionTable(Tracking(connections=10), 3, KEY, 5)
    words = table.words
    buckets, entries, ended = (int(words[word]) for word in (h.H_BUCKETS, h.H_ENTRIES, h.H_ENDED))
    assert buckets >= h.HEADER_WORDS * 8
    assert buckets + 4 * (int(words[h.H_BUCKET_MASK]) + 1) <= entries
    assert entries + 10 * int(words[h.H_ENTRY_SIZE]) <= ended
    assert ended + 5 * 256 <= words.nbytes


def test_settings_are_not_written_by_packets():
    tracked = Tracked()
    before = tracked.table.words[: h.HEADER_WORDS].copy()
    for packet in (Pair().tcp("S", 1), Pair().swapped().tcp("SA", 1, 2), Pair().udp(), Pair().icmp(8)):
        tracked.send(packet)
    changed = np.flatnonzero(tracked.table.words[: h.HEADER_WORDS] != before)
    settings = {
        *range(h.H_BUCKET_MASK, h.H_ENDED_CAPACITY + 1),
        *range(h.H_KEY0, h.H_BIT_WORDS + 1),
        h.H_LINUX_FLOWS,
        *range(h.H_TCP_TIMEOUT, h.HEADER_WORDS),
    }
    assert not settings & set(changed.tolist())
