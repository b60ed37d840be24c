"""Packet-path functions as eBPF programs: one section, nothing left to call but the kernel, loops within bounds."""

from __future__ import annotations

import struct

import pytest

from twinwall.path.primitives import Address, get, load_u8, opaque, put, table_at
from twinwall.targets.ebpf import RECORDS_SYMBOL, TABLE_SYMBOL, compile_program
from twinwall.targets.native import compile_entries

CALL, EXIT, LOAD_64 = 0x85, 0x95, 0x18
LOOKUP = 1  # bpf_map_lookup_elem


def first_byte(packet: Address, end: Address, table: Address, record: Address, bound: int) -> int:
    """Drop (1) a frame whose first byte is in the table's first words; the byte stays in the record."""
    if packet + 1 > end:
        return 1
    value = load_u8(packet, 0)
    put(record, 0, value)
    step = 0
    verdict = 2
    while step < bound:
        if table_at(table, opaque(record, step)) == value:
            verdict = 1
        step = step + 1
    return verdict + get(record, 0) - value


def instructions(program):
    """Opcode, registers, offset, immediate; the second half of a 16-byte load is left out."""
    code, at, found = program.code.instructions, 0, []
    while at < len(code):
        found.append(struct.unpack_from("<BBhi", code, at))
        at += 16 if code[at] == LOAD_64 else 8
    return found


@pytest.fixture(scope="module")
def program():
    return compile_program(first_byte, 8, (5,))


def test_a_program_calls_nothing_but_the_lookup_of_its_record(program):
    calls = [(registers >> 4, number) for code, registers, _, number in instructions(program) if code == CALL]
    assert calls == [(0, LOOKUP)]


def test_a_program_asks_for_its_table_and_its_record(program):
    assert {place.symbol for place in program.code.places} == {TABLE_SYMBOL, RECORDS_SYMBOL}
    assert program.table_words == 8


def test_a_program_ends(program):
    assert EXIT in [code for code, _, _, _ in instructions(program)]


def test_constants_are_part_of_the_program():
    one, two = (compile_program(first_byte, 8, (bound,)).code.instructions for bound in (5, 6))
    assert one != two
    assert compile_program(first_byte, 8, (5,)).code.instructions == one


def test_the_size_of_the_table_is_a_power_of_two():
    with pytest.raises(AssertionError, match="bounds the index"):
        compile_program(first_byte, 10, (5,))


def asks_for_too_much(packet: Address, end: Address, table: Address, record: Address) -> int:
    return len(str(packet))


def test_what_leaves_the_restricted_style_is_refused_as_for_the_processor():
    for compile_it in (lambda: compile_program(asks_for_too_much, 8), lambda: compile_entries({"it": asks_for_too_much})):
        with pytest.raises(TypeError):
            compile_it()
