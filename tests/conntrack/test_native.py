"""Interpreted and compiled, the tracker is the same: every answer, and at the end every byte of the table."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from tests.conntrack.generated import CONVERSATIONS
from tests.conntrack.tracked import EPOCH, KEY, SECOND, Tracked
from twinwall.conntrack import header as h
from twinwall.conntrack.chains import sweep
from twinwall.conntrack.table import ConnectionTable
from twinwall.conntrack.tracker import settle, track, tuple_hash
from twinwall.path.decode import decode
from twinwall.path.flow_state import TRACK_FRESH
from twinwall.path.layout import LINK_RAW, RECORD
from twinwall.path.primitives import Pointer
from twinwall.policy.model import Flows, Tracking
from twinwall.targets import native

ENTRIES = {"track": track, "settle": settle, "sweep": sweep, "tuple_hash": tuple_hash}
SMALL = Tracking(connections=6)  # so that eviction and a full table come up


@pytest.fixture(scope="module")
def compiled():
    return native.load(ENTRIES).functions


@pytest.mark.parametrize("flows", Flows)
@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_same_answers_and_same_memory(compiled, kind, flows):
    tracking = replace(SMALL, flows=flows)
    interpreted = Tracked(tracking, flowbit_words=2, ended=8)
    table = ConnectionTable(tracking, 2, KEY, 8)
    rng = random.Random(kind)
    for _ in range(40):
        for packet in CONVERSATIONS[kind](rng):
            interpreted.wait(rng.choice([0, 0, 0.5, 3, 40, -1]))
            dropped = rng.random() < 0.1
            answer = interpreted.send(packet, dropped=dropped)
            record, data = np.zeros(1, RECORD), np.frombuffer(packet, np.uint8)
            start = Pointer(packet)
            decode(start, start + len(packet), LINK_RAW, len(packet), Pointer(record.view(np.uint8).data))
            place, now = record.ctypes.data, interpreted.now
            assert compiled["tuple_hash"](table.address, place) == tuple_hash(
                interpreted.pointer, Pointer(record.view(np.uint8).data)
            )
            word = compiled["track"](table.address, data.ctypes.data, data.ctypes.data + len(packet), place, now)
            assert word == answer.state | answer.direction << 8 | answer.marks | answer.index << 32
            if word & TRACK_FRESH:
                compiled["settle"](table.address, word >> 32, int(dropped))
        assert compiled["sweep"](table.address, interpreted.now, 3) == interpreted.sweep(3)
        assert np.array_equal(table.drain_ended(), interpreted.table.drain_ended())
        for words in (table.words, interpreted.table.words):
            words[h.H_TUPLE : h.H_TCP_TIMEOUT] = 0  # scratch, which is no state
        assert np.array_equal(table.words, interpreted.table.words)
    assert interpreted.now > EPOCH + SECOND
