"""The tc program behind XDP: it moves the stamp from the packet's metadata into the packet's mark, and knows no policy.

A packet without the stamp of this interface gets the mark 0, which the ruleset drops.  The metadata is only read: a program
that writes makes the kernel copy packets of which a capture tool holds a clone, and the copy has no metadata any more.
Written by hand, in the kernel's instruction set (Documentation/bpf/standardization/instruction-set.rst).
"""

from __future__ import annotations

import struct

from twinwall.targets.ebpf_entry import SEAL_MASK, SLOT_BITS
from twinwall.targets.elf import ProgramCode

NEXT = -1  # TCX_NEXT: the next program, or the stack
DATA, DATA_META, MARK, IFINDEX = 76, 140, 8, 40  # struct __sk_buff

LOAD, STORE, MOVE, MOVE_REGISTER, ADD, ADD_REGISTER = 0x61, 0x63, 0xB7, 0xBF, 0x07, 0x0F
AND_32, SUBTRACT_32, IF_GREATER, UNLESS_ZERO_32, EXIT = 0x54, 0x1C, 0x2D, 0x56, 0x95
CONTEXT, START, META, STAMP, LIMIT, SEAL, RESULT = 1, 2, 3, 4, 5, 6, 0  # registers


def stamp_program(seal: int) -> ProgramCode:
    """The program for a network namespace whose stamps carry `seal` (`ebpf_entry.CONTROL_SEAL`)."""
    lines = (
        (MOVE, RESULT, 0, 0, 0),  # the mark, if no stamp is found
        (LOAD, START, CONTEXT, DATA, 0),
        (LOAD, META, CONTEXT, DATA_META, 0),
        (MOVE_REGISTER, LIMIT, META, 0, 0),
        (ADD, LIMIT, 0, 0, 4),
        (IF_GREATER, LIMIT, START, 8, 0),  # no metadata
        (LOAD, STAMP, META, 0, 0),
        (LOAD, SEAL, CONTEXT, IFINDEX, 0),
        (ADD, SEAL, 0, 0, seal & SEAL_MASK),
        (MOVE_REGISTER, LIMIT, STAMP, 0, 0),
        (SUBTRACT_32, LIMIT, SEAL, 0, 0),
        (AND_32, LIMIT, 0, 0, SEAL_MASK),
        (UNLESS_ZERO_32, LIMIT, 0, 1, 0),  # another's stamp
        (MOVE_REGISTER, RESULT, STAMP, 0, 0),
        (AND_32, RESULT, 0, 0, SLOT_BITS - (1 << 32)),
        (STORE, CONTEXT, RESULT, MARK, 0),
        (MOVE, RESULT, 0, 0, NEXT),
        (EXIT, 0, 0, 0, 0),
    )
    return ProgramCode(b"".join(struct.pack("<BBhi", code, to | of << 4, at, number) for code, to, of, at, number in lines), ())
