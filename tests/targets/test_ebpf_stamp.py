"""The tc program, run by an interpreter of the few instructions that it has: which packets get which mark."""

from __future__ import annotations

import struct

import pytest

from twinwall.targets.ebpf_entry import SEAL_MASK
from twinwall.targets.ebpf_stamp import NEXT, stamp_program

BASE = 1000  # where the packet starts
M64 = (1 << 64) - 1


def run(seal: int, interface: int, metadata: bytes) -> int:
    """The mark that a packet gets."""
    code = stamp_program(seal).instructions
    context = {76: BASE, 140: BASE - len(metadata), 40: interface}
    registers = [0, "context"] + [0] * 8
    at, mark = 0, None
    while True:
        opcode, pair, offset, number = struct.unpack_from("<BBhi", code, 8 * at)
        to, of = pair & 15, pair >> 4
        at += 1
        if opcode == 0x61 and registers[of] == "context":
            registers[to] = context[offset]
        elif opcode == 0x61:
            place = registers[of] - (BASE - len(metadata))
            registers[to] = struct.unpack_from("<I", metadata, place + offset)[0]
        elif opcode == 0xB7:
            registers[to] = number & M64
        elif opcode == 0xBF:
            registers[to] = registers[of]
        elif opcode == 0x07:
            registers[to] = registers[to] + number & M64
        elif opcode == 0x54:
            registers[to] = registers[to] & number & 0xFFFFFFFF
        elif opcode == 0x1C:
            registers[to] = registers[to] - registers[of] & 0xFFFFFFFF
        elif opcode == 0x2D:
            at += offset if registers[to] > registers[of] else 0
        elif opcode == 0x56:
            at += offset if registers[to] & 0xFFFFFFFF != number else 0
        elif opcode == 0x63:
            assert (registers[to], offset) == ("context", 8)
            mark = registers[of] & 0xFFFFFFFF
        else:
            assert opcode == 0x95
            assert registers[0] == NEXT & M64
            return mark


def stamp(bits: int, seal: int, interface: int) -> bytes:
    return struct.pack("<I", bits << 28 | (seal + interface) & SEAL_MASK)


@pytest.mark.parametrize("seal", [0, 5, SEAL_MASK, SEAL_MASK - 3])
def test_a_stamp_of_the_interface_becomes_the_mark(seal):
    for bits in range(16):
        assert run(seal, 7, stamp(bits, seal, 7)) == bits << 28
        assert run(seal, 7, stamp(bits, seal, 7) + b"others'!") == bits << 28


@pytest.mark.parametrize(
    "metadata",
    [b"", stamp(9, 5, 8), stamp(9, 6, 7), bytes(4), b"\xff" * 4],
    ids=["none", "another interface's", "another namespace's", "zeros", "ones"],
)
def test_everything_else_has_no_mark(metadata):
    assert run(5, 7, metadata) == 0
