"""Tuples: both directions of a flow have one hash, and a key decides it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twinwall.conntrack.table import ConnectionTable
from twinwall.conntrack.tuples import forward_key, hash_record, reverse_key, swap_ports
from twinwall.path.layout import RECORD
from twinwall.path.primitives import Pointer
from twinwall.policy.model import Tracking

WORD = st.integers(0, (1 << 64) - 1)
PORT = st.integers(0, 65535)
SMALL = Tracking(connections=1)
TABLE = ConnectionTable(SMALL, 0, (1, 2), 1).pointer()
OTHER = ConnectionTable(SMALL, 0, (1, 3), 1).pointer()


def record(fields: dict[str, int]) -> Pointer:
    made = np.zeros(1, RECORD)
    for name, value in fields.items():
        made[name] = value
    return Pointer(made.view(np.uint8).data)


@given(st.tuples(WORD, WORD), st.tuples(WORD, WORD), PORT, PORT, st.sampled_from([6, 17, 47, 50, 132, 136]))
def test_both_directions_hash_alike(one: tuple[int, int], two: tuple[int, int], sport: int, dport: int, proto: int):
    sides = [(*one, sport), (*two, dport)]
    hashes, keys = [], []
    for source, destination in (sides, sides[::-1]):
        place = record(
            {"src_hi": source[0], "src_lo": source[1], "sport": source[2], "dst_hi": destination[0], "dst_lo": destination[1],
             "dport": destination[2], "proto": proto, "version": 6}
        )  # fmt: skip
        hashes.append((hash_record(TABLE, place), hash_record(OTHER, place)))
        keys.append(forward_key(place))
    assert hashes[0] == hashes[1]
    assert hashes[0][0] != hashes[0][1]
    assert reverse_key(keys[0]) == keys[1]


@given(st.integers(0, (1 << 48) - 1))
def test_swapping_twice_changes_nothing(key: int):
    assert swap_ports(swap_ports(key)) == key


@given(st.sampled_from([0, 8, 13, 14, 15, 16, 17, 18]), PORT)
def test_query_and_answer_are_each_others_reverse(kind: int, ident: int):
    key = forward_key(record({"icmp_type": kind, "icmp_id": ident, "proto": 1, "version": 4}))
    assert reverse_key(key) != key
    assert reverse_key(reverse_key(key)) == key
