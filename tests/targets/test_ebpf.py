"""Packet-path functions as eBPF programs: one section, nothing left to call but the kernel, no policy in the code."""

from __future__ import annotations

import struct

import pytest

from twinwall.path.primitives import Address, another, get, load_u8, opaque, put, table_at
from twinwall.targets import ebpf_entry
from twinwall.targets.ebpf import compile_object, filled_in, is_compiled, load_program
from twinwall.targets.ebpf_loops import MAY_GOTO
from twinwall.targets.elf import Place, ProgramCode
from twinwall.targets.native import compile_entries

CALL, EXIT, LOAD_64 = 0x85, 0x95, 0x18
LOOKUP, TAIL_CALL, ADJUST_META, FRAME_LENGTH = 1, 12, 54, 188
MAPS = {
    ebpf_entry.TABLE_SYMBOL,
    ebpf_entry.RECORDS_SYMBOL,
    ebpf_entry.COUNTERS_SYMBOL,
    ebpf_entry.CONTROL_SYMBOL,
    ebpf_entry.SUCCESSOR_SYMBOL,
}


def first_byte(packet: Address, end: Address, wire_length: int, interface: int, table: Address, record: Address) -> int:
    """Drop (1) a frame whose first byte is in the table's words; the byte stays in the record."""
    if packet + 1 > end:
        return 1
    value = load_u8(packet, 0)
    put(record, 0, value)
    step = 0
    verdict = 2
    while step < 5 and another(step, 5):
        if table_at(table, opaque(record, step)) == value:
            verdict = 1
        step = opaque(record, step + 1)
    return verdict + get(record, 0) - value


def instructions(code):
    """Opcode, registers, offset, immediate; the second half of a 16-byte load is left out."""
    at, found = 0, []
    while at < len(code.instructions):
        found.append(struct.unpack_from("<BBhi", code.instructions, at))
        at += 16 if found[-1][0] == LOAD_64 else 8
    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("TWINWALL_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module", params=[True, False], ids=["may_goto", "compared"])
def program(request, cache):
    return load_program(first_byte, may_goto=request.param)


def test_a_program_calls_only_helpers_of_the_kernel(program):
    calls = {(registers >> 4, number) for code, registers, _, number in instructions(program.code) if code == CALL}
    assert calls == {(0, number) for number in (LOOKUP, TAIL_CALL, ADJUST_META, FRAME_LENGTH)}


def test_the_form_decides_who_bounds_the_loops(program):
    assert any(code == MAY_GOTO for code, *_ in instructions(program.code)) == program.may_goto


def test_a_program_ends(program):
    assert EXIT in [code for code, *_ in instructions(program.code)]


def test_only_maps_are_left_to_fill_in_once_the_table_s_size_is_known(program):
    assert {place.symbol for place in program.for_table(8).places} == MAPS
    assert {place.symbol for place in program.code.places} > MAPS


def test_tables_of_two_sizes_differ_in_the_mask_only(program):
    small, large = (program.for_table(words) for words in (8, 1 << 20))
    different = [(one[3], two[3]) for one, two in zip(instructions(small), instructions(large), strict=True) if one != two]
    assert set(different) == {(7, (1 << 20) - 1)}


def test_the_size_of_the_table_is_a_power_of_two(program):
    with pytest.raises(AssertionError, match="bounds the index"):
        program.for_table(10)


def test_a_number_fills_both_halves_of_its_load():
    code = ProgramCode(struct.pack("<BBhi", LOAD_64, 3, 0, 0) + bytes(8), (Place(0, "big"), Place(0, "map")))
    filled = filled_in(code, {"big": 0x1_0000_0002})
    assert filled.instructions == struct.pack("<BBhiBBhi", LOAD_64, 3, 0, 2, 0, 0, 0, 1)
    assert filled.places == (Place(0, "map"),)


def test_a_program_is_compiled_once_and_then_found(tmp_path, monkeypatch):
    monkeypatch.setenv("TWINWALL_CACHE", str(tmp_path))
    announced = []
    assert not is_compiled(first_byte)
    first = load_program(first_byte, announce=lambda: announced.append("first"))
    assert is_compiled(first_byte)
    assert not is_compiled(first_byte, may_goto=False)
    assert load_program(first_byte, announce=lambda: announced.append("second")) == first
    assert announced == ["first"]


def test_a_cached_program_is_loaded_without_numba(cache):
    import subprocess
    import sys

    load_program()
    text = "import sys; from twinwall.targets.ebpf import load_program; load_program(); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    assert "'twinwall.targets.ebpf'" in loaded
    assert "'numba'" not in loaded
    assert "'llvmlite'" not in loaded


def asks_for_too_much(packet: Address, end: Address, wire_length: int, interface: int, table: Address, record: Address) -> int:
    return len(str(packet))


def test_what_leaves_the_restricted_style_is_refused_as_for_the_processor():
    for compile_it in (
        lambda: compile_object(asks_for_too_much, may_goto=True),
        lambda: compile_entries({"it": asks_for_too_much}),
    ):
        with pytest.raises(TypeError):
            compile_it()
