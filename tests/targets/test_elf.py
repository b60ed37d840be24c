"""Reading the object that LLVM writes: the section's instructions, the places of symbols, and what is refused."""

from __future__ import annotations

import struct

import llvmlite.binding as llvm
import pytest

from twinwall.targets.elf import Place, read_program

PROGRAM = """
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"
@tw_one = external global i8
@tw_two = external global i8
define i64 @first() section "other" { ret i64 7 }
define i64 @second(ptr %context) section "xdp" {
  %one = ptrtoint ptr @tw_one to i64
  %two = ptrtoint ptr @tw_two to i64
  %sum = add i64 %one, %two
  ret i64 %sum
}
define i64 @third() section "calls" {
  %value = call i64 @outside()
  ret i64 %value
}
declare i64 @outside()
"""
LOAD_64 = 0x18  # BPF_LD | BPF_IMM | BPF_DW: an instruction of 16 bytes


@pytest.fixture(scope="module")
def image():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple("bpfel").create_target_machine(cpu="v3", opt=2)
    return bytes(machine.emit_object(llvm.parse_assembly(PROGRAM)))


def test_a_section_is_found_by_its_name(image):
    code = read_program(image, "other")
    assert code.places == ()
    instructions = [struct.unpack_from("<BBhi", code.instructions, at) for at in range(0, len(code.instructions), 8)]
    assert instructions == [(0xB7, 0, 0, 7), (0x95, 0, 0, 0)]  # r0 = 7; exit


def test_symbols_are_placed_where_their_addresses_are_loaded(image):
    code = read_program(image, "xdp")
    assert {place.symbol for place in code.places} == {"tw_one", "tw_two"}
    assert len({place.offset for place in code.places}) == 2
    for place in code.places:
        assert isinstance(place, Place)
        assert code.instructions[place.offset] == LOAD_64
        assert code.instructions[place.offset + 4 : place.offset + 8] == bytes(4)


def test_a_call_that_was_not_inlined_is_refused(image):
    with pytest.raises(ValueError, match="not inlined"):
        read_program(image, "calls")


def test_a_missing_section_is_named(image):
    with pytest.raises(ValueError, match="no section tc"):
        read_program(image, "tc")


@pytest.mark.parametrize(
    "start", [b"", b"MZ", b"\x7fELF\x01\x01", b"\x7fELF\x02\x02"], ids=["empty", "PE", "ELF-32", "big-endian"]
)
def test_other_files_are_refused(image, start):
    with pytest.raises(ValueError, match="ELF-64"):
        read_program(start + image[len(start) :] if start else b"", "xdp")
