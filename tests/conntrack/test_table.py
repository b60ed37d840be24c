"""The table's memory: its settings, its layout, and what Python reads of it."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conntrack.generated import CONVERSATIONS
from tests.conntrack.segments import End, Pair
from tests.conntrack.tracked import KEY, Tracked
from twinwall.conntrack import header as h
from twinwall.conntrack.chains import entry_at
from twinwall.conntrack.entry import E_BITS, ENTRY, ENTRY_BYTES
from twinwall.conntrack.table import ConnectionTable
from twinwall.path import flow_state
from twinwall.path.primitives import get, put
from twinwall.policy.model import Timeout, Tracking


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 32))
def test_same_packets_same_memory(seed: int):
    tables = []
    for _ in range(2):
        tracked, rng = Tracked(), random.Random(seed)
        for packet in CONVERSATIONS["mixed"](rng) + CONVERSATIONS["tcp"](rng):
            tracked.send(packet)
        tables.append(tracked.table.words)
    assert np.array_equal(*tables)


def client(number: int) -> Pair:
    return Pair(End(f"10.0.{number >> 8}.{number & 255}", 1024 + number))


def test_flowbits_start_clear_and_are_each_flows_own():
    tracked = Tracked(flowbit_words=2)
    first = tracked.send(client(0).udp()).index
    put(entry_at(tracked.pointer, first), E_BITS + 1, 1 << 63)
    second = tracked.send(client(1).udp()).index
    assert get(entry_at(tracked.pointer, second), E_BITS) == 0
    tracked.wait(31)
    assert tracked.send(client(0).udp()).index == first
    assert get(entry_at(tracked.pointer, first), E_BITS + 1) == 0


def test_every_timeout_of_the_tracker_is_a_setting():
    """Set all to different values, and find them all in the header."""
    names = [name for name in Timeout if not name.name.startswith("FRAGMENT")]
    timeouts = tuple((name, 1000 + at) for at, name in enumerate(names))
    table = ConnectionTable(Tracking(timeouts=timeouts, connections=1), 0, KEY, 1)
    held = {int(word) for word in table.words[: h.HEADER_WORDS]}
    assert {round(value * 1e9) for _, value in timeouts} <= held


def test_entry_layout_is_the_one_rules_use():
    assert ENTRY.itemsize == ENTRY_BYTES
    assert flow_state.E_BITS * 8 == ENTRY_BYTES
    words = {"verdict": flow_state.E_VERDICT, "o_packets": flow_state.E_O_PACKETS, "flow_id": flow_state.E_FLOW_ID}
    for name, word in words.items():
        assert ENTRY.fields[name][1] // 8 == word
