"""The primitives interpreted: checked memory, little-endian words, and what says nothing to anybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.path import primitives
from twinwall.path.layout import W_SCRATCH
from twinwall.path.primitives import (
    Pointer,
    branchless,
    get,
    load_be16,
    load_be32,
    load_be64,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    note,
    opaque,
    prefetch,
    put,
    store_u8,
    store_u16,
    store_u32,
    store_u64,
    table_at,
    table_u16,
    table_u32,
    trailing_zeros,
)
from twinwall.path.trace import TraceEvent

WORD = st.integers(0, (1 << 64) - 1)
LOADS = ((load_u8, store_u8, 1), (load_u16, store_u16, 2), (load_u32, store_u32, 4), (load_u64, store_u64, 8))


@given(WORD, st.integers(0, 7))
def test_what_is_stored_is_loaded_again_and_neighbours_stay(value, at):
    for load, store, size in LOADS:
        memory = bytearray(b"\xee" * 16)
        store(Pointer(memory), at, value)
        assert load(Pointer(memory), at) == value & ((1 << 8 * size) - 1)
        assert memory[at : at + size] == (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        assert memory[:at] + memory[at + size :] == b"\xee" * (16 - size)


@pytest.mark.parametrize(("load", "store", "size"), LOADS)
def test_no_access_leaves_the_memory(load, store, size):
    inside = Pointer(bytearray(8), 8 - size)
    store(inside, 0, 1)
    assert load(inside, 0) == 1
    for wild in (inside + 1, Pointer(bytearray(8), -1)):
        with pytest.raises(IndexError):
            load(wild, 0)
        with pytest.raises(IndexError):
            store(wild, 0, 1)


def test_packet_fields_are_read_in_network_order():
    frame = Pointer(bytes(range(9)), 1)
    for load, size in ((load_be16, 2), (load_be32, 4), (load_be64, 8)):
        assert load(frame, 0) == int.from_bytes(range(1, 1 + size), "big")
        with pytest.raises(IndexError):
            load(frame + 1, 8 - size)


def test_tables_are_read_by_index():
    table = Pointer(bytes(range(16)))
    assert table_at(table, 1) == int.from_bytes(bytes(range(8, 16)), "little")
    assert table_u32(table, 3) == int.from_bytes(bytes(range(12, 16)), "little")
    assert table_u16(table, 7) == 0x0F0E
    for read, beyond in ((table_at, 2), (table_u32, 4), (table_u16, 8)):
        with pytest.raises(IndexError):
            read(table, beyond)


def test_records_are_read_and_written_by_word():
    memory = bytearray(24)
    put(Pointer(memory), 1, 0x0102030405060708)
    assert memory == bytes(8) + bytes([8, 7, 6, 5, 4, 3, 2, 1]) + bytes(8)
    assert get(Pointer(memory), 1) == 0x0102030405060708
    with pytest.raises(IndexError):
        put(Pointer(memory), 3, 0)


def test_addresses_are_moved_measured_and_compared():
    start = Pointer(b"abcdef")
    end = start + 6
    assert (end - start, (start + 4) - (start + 1)) == (6, 3)
    assert start < end
    assert start <= start + 0
    assert end > start
    assert end >= start + 6
    assert not start > start + 0
    assert not end < end + 0
    assert not end <= start
    assert not start >= end


def test_writing_to_bytes_is_refused():
    with pytest.raises(TypeError):
        store_u8(Pointer(b"constant"), 0, 1)


@given(WORD)
def test_trailing_zeros(value):
    digits = f"{value:064b}"
    assert trailing_zeros(value) == len(digits) - len(digits.rstrip("0"))


@given(WORD)
def test_hints_change_no_value(value):
    memory = bytearray(128)
    prefetch(Pointer(memory), 5)
    assert opaque(Pointer(memory), value) == branchless(value) == value


def test_notes_are_collected_where_somebody_listens_and_follow_the_address():
    heard: list[tuple[int, int]] = []
    record = Pointer(bytearray(8), 0, heard)
    note(record, TraceEvent.MATCH, 7)
    note(record + 8, TraceEvent.DECIDED, 8)
    note(Pointer(bytearray(8)), TraceEvent.MATCH, 9)
    assert heard == [(TraceEvent.MATCH, 7), (TraceEvent.DECIDED, 8)]


def test_the_scratch_word_is_the_record_s():
    assert primitives.SCRATCH_WORD == W_SCRATCH
