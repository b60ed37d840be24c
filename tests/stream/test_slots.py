"""Slots: found by their whole key, freed to be used again, lost to age or to time."""

from __future__ import annotations

import numpy as np

from tests.stream.dialogue import Dialogue, Piece
from twinwall.path.layout import W_DST_HI, W_DST_LO, W_SRC_HI, W_SRC_LO
from twinwall.path.primitives import Pointer
from twinwall.policy.model import Tracking
from twinwall.stream import slots
from twinwall.stream.layout import T_KEY
from twinwall.stream.table import FragmentTable


def record_with(**words: int) -> Pointer:
    record = np.zeros(16, dtype=np.uint64)
    for name, value in words.items():
        record[{"src_hi": W_SRC_HI, "src_lo": W_SRC_LO, "dst_hi": W_DST_HI, "dst_lo": W_DST_LO}[name]] = value
    return Pointer(record.data.cast("B"))


def test_each_word_of_the_key_counts_also_where_digests_are_equal():
    table = FragmentTable(Tracking(datagrams=1))
    table.memory[T_KEY] = 4 << 40
    assert slots.claim(table.pointer(), record_with(), 0) == 1
    head = slots.head_of(table.pointer(), 1)
    assert slots.is_same(table.pointer(), head, record_with())
    for name in ("src_hi", "src_lo", "dst_hi", "dst_lo"):
        assert not slots.is_same(table.pointer(), head, record_with(**{name: 1}))
        assert slots.find(table.pointer(), record_with(**{name: 1})) == 0
    table.memory[T_KEY] += 1
    assert not slots.is_same(table.pointer(), head, record_with())


def test_source_and_destination_are_not_the_same_datagram_turned_round():
    talk = Dialogue()
    talk.say(Piece(0, b"a" * 8, source="192.0.2.1", destination="192.0.2.2"))
    assert talk.say(Piece(8, b"a", more=False, source="192.0.2.2", destination="192.0.2.1")).outcome == "HELD"


def test_slots_are_used_again_for_ever():
    talk = Dialogue(datagrams=1)
    for identifier in range(20):
        talk.say(Piece(0, b"a" * 8, id=identifier))
        assert talk.say(Piece(8, b"b", more=False, id=identifier)).outcome == "COMPLETE"


def test_a_closed_slot_is_neither_found_nor_given_out_nor_lost_until_it_is_released():
    table = FragmentTable(Tracking(datagrams=1))
    memory = table.pointer()
    slots.claim(memory, record_with(), 0)
    slots.close(memory, 1)
    assert slots.find(memory, record_with()) == 0
    assert slots.claim(memory, record_with(), 0) == 0
    assert slots.close_oldest(memory) == 0
    assert slots.expire(memory, slots.NEVER) == 0
    slots.release(memory, 1)
    assert slots.claim(memory, record_with(), 0) == 1


def test_the_oldest_is_the_one_opened_first_whatever_its_slot():
    talk = Dialogue(datagrams=2)
    talk.say(Piece(0, b"a" * 8, id=1))
    talk.say(Piece(0, b"a" * 8, id=2))
    talk.say(Piece(8, b"a", more=False, id=1))  # the first slot is free
    talk.say(Piece(0, b"a" * 8, id=3))  # and taken by a younger datagram
    assert talk.say(Piece(0, b"a" * 8, id=4)).packets == (2,)


def test_at_the_end_of_a_capture_everything_that_is_open_comes_out():
    talk = Dialogue()
    for identifier in (1, 2, 3):
        talk.say(Piece(0, b"a" * 8, id=identifier))
    found = []
    while slot := slots.expire(talk.memory, slots.NEVER):
        found.append(talk.waiting(slot))
        slots.release(talk.memory, slot)
    assert found == [(1,), (2,), (3,)]
