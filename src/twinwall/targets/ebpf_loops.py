"""Loops that the verifier need not walk to their end: marked calls become the instruction `may_goto`.

A loop asks `another(turn, limit)` before every turn.  Where the kernel has `may_goto` (Linux 6.9), the question is compiled to
a call of a helper that does not exist, and that call to the instruction which tells the verifier "this may end here, and the
kernel counts that it does".  The verifier then looks at a turn until it learns nothing new, instead of at every turn.

    before   call MARK; …; if r0 == 0 goto out          call MARK; …; if r0 != 0 goto again
    after    …; may_goto out; goto +0                   …; may_goto +1; goto again

What stands between the two moves up by one place.  Source: the kernel's Documentation/bpf/standardization/instruction-set.rst,
and BPF_JCOND in kernel/bpf/verifier.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from twinwall.targets.elf import Place, ProgramCode

MARK = 0x7A11  # no helper has this number
SLOT = struct.Struct("<BBhi")
CALL, EXIT, GOTO, LONG_GOTO, MAY_GOTO = 0x85, 0x95, 0x05, 0x06, 0xE5
JUMP_CLASSES = (0x05, 0x06)  # of 64 and of 32 bits
READING_CLASSES, ARITHMETIC_CLASSES, FROM_REGISTER = (0x01, 0x03), (0x04, 0x07), 0x08
SECOND_HALF = 0x00  # of a 16-byte load
IF_ZERO, UNLESS_ZERO = (0x15, 0x16), (0x55, 0x56)


def with_may_goto(code: ProgramCode) -> ProgramCode:
    """The program with `may_goto` for every marked call.  Raises `TypeError` where the answer does not steer a jump at once."""
    slots = [code.instructions[at : at + 8] for at in range(0, len(code.instructions), 8)]
    symbols = {place.offset // 8: place.symbol for place in code.places}
    targets = {target for _, target in _jumps(slots)}
    for at in [number for number, slot in enumerate(slots) if SLOT.unpack(slot) == (CALL, 0, 0, MARK)]:
        jump = _answer(slots, at)
        if any(at < target <= jump for target in targets):
            raise TypeError(f"a jump leads between the loop's question at {at} and its answer at {jump}")
        slots[at : jump + 1] = slots[at + 1 : jump] + _replacement(slots[jump])
        for place in [each for each in symbols if at < each < jump]:
            symbols[place - 1] = symbols.pop(place)
    return ProgramCode(b"".join(slots), tuple(Place(8 * at, symbol) for at, symbol in sorted(symbols.items())))


def _jumps(slots: list[bytes]) -> Iterator[tuple[int, int]]:
    """Every jump and where it leads."""
    for at, slot in enumerate(slots):
        code, _, offset, immediate = SLOT.unpack(slot)
        if code & 7 in JUMP_CLASSES and code not in (CALL, EXIT):
            yield at, at + 1 + (immediate if code == LONG_GOTO else offset)


def _answer(slots: list[bytes], at: int) -> int:
    """The conditional jump that uses what the call at `at` returned in register 0."""
    for place in range(at + 1, len(slots)):
        code, registers, _, immediate = SLOT.unpack(slots[place])
        if code in IF_ZERO + UNLESS_ZERO and registers == 0 and immediate == 0:
            return place
        if code & 7 in JUMP_CLASSES or _touches_answer(code, registers):
            break
    raise TypeError(f"the answer to the loop's question at instruction {at} is not tested at once")


def _touches_answer(code: int, registers: int) -> bool:
    """Whether an instruction that is no jump reads or writes register 0."""
    if code == SECOND_HALF:
        return False
    reads_source = code & 7 in READING_CLASSES or (code & 7 in ARITHMETIC_CLASSES and code & FROM_REGISTER)
    return registers & 15 == 0 or bool(reads_source and registers >> 4 == 0)


def _replacement(jump: bytes) -> list[bytes]:
    code, _, offset, _ = SLOT.unpack(jump)
    if code in IF_ZERO:
        return [SLOT.pack(MAY_GOTO, 0, offset + 1, 0), SLOT.pack(GOTO, 0, 0, 0)]
    return [SLOT.pack(MAY_GOTO, 0, 1, 0), SLOT.pack(GOTO, 0, offset, 0)]
