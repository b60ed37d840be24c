"""A router without a firewall, to compare with: its interfaces have an XDP program that passes everything.

A virtual link that has an XDP program copies each packet for it, which costs more than the program.  So that this is not laid
at a firewall's door, the router without one has a program too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from twinwall.live.bpf_programs import XDP, XDP_HAS_FRAGS, Program
from twinwall.live.links import XdpMode, link, set_xdp
from twinwall.targets.elf import ProgramCode

XDP_PASS = 2
MOVE_VALUE, EXIT = 0xB7, 0x95
PASS_ALL = ProgramCode(struct.pack("<BBhiBBhi", MOVE_VALUE, 0, 0, XDP_PASS, EXIT, 0, 0, 0), ())


@contextmanager
def bare(interfaces: Sequence[str]) -> Iterator[Program]:
    """The program, on these interfaces inside the `with` block.  Raises `EnforcementError` or `BpfError`."""
    with Program.load(XDP, PASS_ALL, {}, name="empty", flags=XDP_HAS_FRAGS) as program:
        for name in interfaces:
            set_xdp(link(name).index, XdpMode.NATIVE, program.number, None)
        try:
            yield program
        finally:
            for name in interfaces:
                set_xdp(link(name).index, XdpMode.NATIVE, -1, program.number)
