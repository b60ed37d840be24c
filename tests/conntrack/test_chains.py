"""Chains, free list, eviction and sweep: the invariants under any sequence of packets, and the bound."""

from __future__ import annotations

import random
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conntrack.generated import CONVERSATIONS
from tests.conntrack.segments import End, Pair
from tests.conntrack.tracked import Tracked
from twinwall.conntrack import header as h
from twinwall.conntrack.chains import bucket_of, entry_at
from twinwall.conntrack.entry import E_LINK, END_EVICTED, END_TIMEOUT
from twinwall.conntrack.tracker import tuple_hash
from twinwall.path import flow_state
from twinwall.path.decode import decode
from twinwall.path.layout import LINK_RAW, RECORD_BYTES
from twinwall.path.primitives import Pointer, get, load_u32
from twinwall.policy.model import Tracking


def chained(tracked: Tracked) -> list[int]:
    """Every entry index that a chain reaches, each chain walked to its end."""
    table, found = tracked.pointer, []
    for bucket in range(get(table, h.H_BUCKET_MASK) + 1):
        index = load_u32(table, bucket_of(table, bucket))
        while index:
            found.append(index)
            link = get(entry_at(table, index), E_LINK)
            assert bucket_of(table, link >> 32) == bucket_of(table, bucket)
            assert len(found) <= get(table, h.H_UNUSED)
            index = link & 0xFFFFFFFF
    return found


def free(tracked: Tracked) -> list[int]:
    """The free list."""
    index, found = get(tracked.pointer, h.H_FREE), []
    while index:
        found.append(index)
        index = get(entry_at(tracked.pointer, index), E_LINK) & 0xFFFFFFFF
    return found


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    capacity=st.integers(1, 8),
    waits=st.lists(st.floats(-5, 700), min_size=1, max_size=8),
    words=st.integers(0, 2),
)
def test_invariants(seed: int, capacity: int, waits: list[float], words: int):
    """No entry is lost or twice in a chain, the count is right, the bound holds, flow identifiers are unique."""
    rng = random.Random(seed)
    tracked = Tracked(Tracking(connections=capacity), words, ended=4)
    identifiers = set()
    for wait in waits:
        for packet in rng.choice(list(CONVERSATIONS.values()))(rng):
            answer = tracked.send(packet, dropped=rng.random() < 0.2)
            if answer.index:
                identifiers.add(int(tracked.entry(answer.index)["flow_id"]))
        tracked.wait(wait)
        tracked.sweep(rng.choice([0, 1, 100]))
        tracked.table.drain_ended()
        live, unused = chained(tracked), free(tracked)
        assert len(live) == tracked.table.count == len(tracked.table.live()) <= capacity
        assert sorted(live + unused) == list(range(1, len(tracked.table.entries()) + 1))
    assert all(0 < each < 1 << 53 for each in identifiers)
    assert len(identifiers) <= int(tracked.table.words[h.H_FLOWS])


def client(number: int) -> Pair:
    return Pair(End(f"10.0.{number >> 8}.{number & 255}", 1024 + number))


def test_full_table_evicts_what_is_not_assured():
    tracked = Tracked(Tracking(connections=4))
    for number in range(40):
        answer = tracked.send(client(number).tcp("S", 1))
        assert answer.index or answer.marks & flow_state.TRACK_FULL
    assert tracked.table.count <= 4
    ended = tracked.table.drain_ended()
    assert len(ended)
    assert set(ended["end_reason"]) == {END_EVICTED}


def test_full_table_of_assured_connections_refuses_and_keeps_them():
    tracked = Tracked(Tracking(connections=2))
    for number in range(2):
        pair = client(number)
        tracked.send(pair.tcp("S", 1))
        tracked.send(pair.swapped().tcp("SA", 1, 2))
        tracked.send(pair.tcp("A", 2, 2))
    answer = tracked.send(client(9).tcp("S", 1))
    assert (str(answer), answer.index) == ("NONE", 0)
    assert answer.marks & flow_state.TRACK_FULL
    assert tracked.says(client(0).tcp("A", 2, 2)) == "ESTABLISHED original"


def test_expired_entry_makes_room():
    tracked = Tracked(Tracking(connections=1))
    tracked.send(client(0).udp())
    tracked.wait(30)
    assert tracked.says(client(0).udp()) == "NEW original"
    assert list(tracked.table.drain_ended()["end_reason"]) == [END_TIMEOUT]


def test_sweep_waits_for_room_in_the_ended_buffer():
    tracked = Tracked(ended=2)
    for number in range(5):
        tracked.send(client(number).udp())
    tracked.wait(31)
    removed = []
    while tracked.table.count:
        removed.append(tracked.sweep())
        tracked.table.drain_ended()
    assert removed == [2, 2, 1]
    assert int(tracked.table.words[h.H_ENDED_LOST]) == 0


def bucket(tracked: Tracked, packet: bytes) -> int:
    """The chain that the packet's flow hashes to."""
    record = Pointer(np.zeros(RECORD_BYTES, np.uint8).data)
    start = Pointer(packet)
    decode(start, start + len(packet), LINK_RAW, len(packet), record)
    return tuple_hash(tracked.pointer, record) & int(tracked.table.words[h.H_BUCKET_MASK])


def assure(tracked: Tracked, pair: Pair) -> None:
    for packet in (pair.tcp("S", 1), pair.swapped().tcp("SA", 1, 2), pair.tcp("A", 2, 2)):
        tracked.send(packet)


@pytest.mark.parametrize("distance", [0, 1, 31, 32, 63])
def test_eviction_looks_at_the_newcomer_s_chain_and_the_31_after_it(distance: int):
    """Thirty established connections and one half-open fill the table: whether it makes room is a matter of distance."""
    tracked = Tracked(Tracking(connections=31))
    victim = client(0).tcp("S", 1)
    tracked.send(victim)
    for each in range(1, 31):
        assure(tracked, client(each))
    chains = int(tracked.table.words[h.H_BUCKET_MASK]) + 1
    wanted = (bucket(tracked, victim) - distance) % chains
    newcomer = next(packet for number in count(40) if bucket(tracked, packet := client(number).tcp("S", 1)) == wanted)
    answer = tracked.send(newcomer)
    assert bool(answer.index) == (distance < 32)
    ended = tracked.table.drain_ended()
    assert [int(each["sport"]) for each in ended] == ([1024] if distance < 32 else [])
    assert tracked.table.count == 31
    assert all(tracked.says(client(each).tcp("A", 2, 2)) == "ESTABLISHED original" for each in range(1, 31))


def test_all_that_may_go_goes_from_the_first_chain_that_has_any():
    tracked = Tracked(Tracking(connections=30))
    for number in range(30):
        tracked.send(client(number).tcp("S", 1))
    chains = {}
    for number in range(30):
        chains.setdefault(bucket(tracked, client(number).tcp("S", 1)), set()).add(1024 + number)
    newcomer = client(77).tcp("S", 1)
    size = int(tracked.table.words[h.H_BUCKET_MASK]) + 1
    first = min(chains, key=lambda each: (each - bucket(tracked, newcomer)) % size)
    assert tracked.send(newcomer).index
    assert {int(each["sport"]) for each in tracked.table.drain_ended()} == chains[first]
    assert tracked.table.count == 31 - len(chains[first])


def test_an_expired_connection_goes_though_it_was_assured():
    tracked = Tracked(Tracking(connections=1))
    assure(tracked, client(0))
    assert tracked.send(client(1).udp()).marks & flow_state.TRACK_FULL
    tracked.wait(5 * 86_400)
    assert tracked.says(client(1).udp()) == "NEW original"
    assert list(tracked.table.drain_ended()["end_reason"]) == [END_TIMEOUT]
    assert int(tracked.table.words[h.H_EVICTED]) == 0


def test_a_full_ended_buffer_loses_records_and_counts_them():
    tracked = Tracked(Tracking(connections=2), ended=1)
    for number in range(9):
        tracked.send(client(number).udp())
    lost = int(tracked.table.words[h.H_ENDED_LOST])
    assert len(tracked.table.drain_ended()) == 1
    assert lost + 1 == int(tracked.table.words[h.H_EVICTED])
