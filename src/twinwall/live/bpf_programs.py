"""BPF programs: loading, what the kernel says of a loaded one, test runs, and where they are attached (TCX)."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

from twinwall.live.bpf import (
    PROG_ATTACH,
    PROG_DETACH,
    PROG_FD_BY_ID,
    PROG_LOAD,
    PROG_NEXT_ID,
    PROG_QUERY,
    PROG_TEST_RUN,
    BpfError,
    Descriptor,
    bpf,
)
from twinwall.live.bpf_maps import Map
from twinwall.targets.elf import ProgramCode

SCHED_CLS, XDP = 3, 6
XDP_HAS_FRAGS = 1 << 5
LOAD_MAP_FD, LOAD_MAP_VALUE = 1, 2
TCX_INGRESS = 46
BEFORE, REPLACE = 1 << 3, 1 << 2
LIVE_FRAMES = 1 << 1  # BPF_F_TEST_XDP_LIVE_FRAMES
LOG_BYTES = 1 << 24
MOST_MAPS, MOST_PROGRAMS = 16, 64
INFORMATION_BYTES = 96


class ProgramInformation(NamedTuple):
    """What the kernel says of a program."""

    kind: int
    identifier: int
    name: str
    map_identifiers: tuple[int, ...]
    tag: bytes  # a digest of its instructions: programs with the same tag do the same


class Program(Descriptor):
    """A loaded program."""

    @classmethod
    def load(
        cls, kind: int, code: ProgramCode, maps: Mapping[str, tuple[Map, int]], *, name: str = "twinwall", flags: int = 0
    ) -> Self:
        """Fill in the maps and load.  `maps`: symbol → (map, LOAD_MAP_FD or LOAD_MAP_VALUE).

        Raises `BpfError` with the verifier's log when the kernel refuses the program.
        """
        instructions = bytearray(code.instructions)
        for place in code.places:
            filled, pseudo = maps[place.symbol]
            _, _, _, offset = struct.unpack_from("<BBhi", instructions, place.offset)
            instructions[place.offset + 1] = instructions[place.offset + 1] & 0x0F | pseudo << 4
            struct.pack_into("<i", instructions, place.offset + 4, filled.number)
            struct.pack_into("<i", instructions, place.offset + 12, offset if pseudo == LOAD_MAP_VALUE else 0)
        try:
            return cls(_load(kind, bytes(instructions), name, flags, log_bytes=0))
        except BpfError as error:
            if error.number == errno.EPERM:
                raise
            return cls(_load(kind, bytes(instructions), name, flags, log_bytes=LOG_BYTES))

    @classmethod
    def of_identifier(cls, identifier: int) -> Self:
        """A program that is loaded already.  Raises `BpfError`."""
        return cls(bpf(PROG_FD_BY_ID, struct.pack("<III", identifier, 0, 0), f"open program {identifier}"))

    @classmethod
    def all_named(cls, name: str) -> Iterator[ProgramInformation]:
        """Every loaded program of this name, whoever loaded it.  Raises `BpfError`."""
        for identifier in _identifiers():
            try:
                with cls.of_identifier(identifier) as program:
                    about = program.about()
            except BpfError as error:
                if error.number != errno.ENOENT:  # gone meanwhile
                    raise
                continue
            if about.name == name:
                yield about

    def about(self) -> ProgramInformation:
        """What the kernel says of this program."""
        numbers = (ctypes.c_uint32 * MOST_MAPS)()
        given = struct.pack("<52xIQ", MOST_MAPS, ctypes.addressof(numbers))
        said = self.information(INFORMATION_BYTES, given=given)
        kind, identifier = struct.unpack_from("<II", said)
        (count,) = struct.unpack_from("<I", said, 52)
        return ProgramInformation(kind, identifier, said[64:80].rstrip(b"\0").decode(), tuple(numbers[:count]), said[8:16])

    def run(self, frame: bytes, repeat: int = 1) -> tuple[int, int]:
        """Run an XDP program on one frame in the kernel: its action, and the mean time in nanoseconds."""
        data = ctypes.create_string_buffer(frame, len(frame))
        fields = (self.number, 0, len(frame), 0, ctypes.addressof(data), 0, repeat, 0, 0, 0, 0, 0, 0, 0, 0)
        attributes = bytearray(struct.pack("<IIIIQQIIIIQQIII4x", *fields))
        bpf(PROG_TEST_RUN, attributes, "run the program")
        return struct.unpack_from("<I", attributes, 4)[0], struct.unpack_from("<I", attributes, 36)[0]


def _load(kind: int, instructions: bytes, name: str, flags: int, *, log_bytes: int) -> int:
    code = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(b"GPL")
    text = ctypes.create_string_buffer(max(log_bytes, 1))
    at = ctypes.addressof(text) if log_bytes else 0
    fields = (kind, len(instructions) // 8, ctypes.addressof(code), ctypes.addressof(licence), 1 if log_bytes else 0)
    attributes = struct.pack("<IIQQIIQII16s", *fields, log_bytes, at, 0, flags, name.encode())
    try:
        return bpf(PROG_LOAD, attributes, f"load the program {name}")
    except BpfError as error:
        raise BpfError(error.number, error.action, text.value.decode(errors="replace")) from None


def tcx_programs(index: int) -> tuple[int, ...]:
    """Identifiers of the programs at the TCX ingress hook of an interface, in their order.  Raises `BpfError`."""
    numbers = (ctypes.c_uint32 * MOST_PROGRAMS)()
    fields = (index, TCX_INGRESS, 0, 0, ctypes.addressof(numbers), MOST_PROGRAMS, 0, 0, 0, 0, 0)
    attributes = bytearray(struct.pack("<IIIIQIIQQQQ", *fields))
    bpf(PROG_QUERY, attributes, "ask which programs are attached to an interface")
    return tuple(numbers[: struct.unpack_from("<I", attributes, 24)[0]])


def attach_tcx(program: Program, index: int, replaced: Program | None = None) -> None:
    """Put a program first at an interface's TCX ingress hook, or in place of another.  It stays without a process."""
    flags = BEFORE if replaced is None else REPLACE
    old = 0 if replaced is None else replaced.number
    attributes = struct.pack("<IIIIIIQ", index, program.number, TCX_INGRESS, flags, old, 0, 0)
    bpf(PROG_ATTACH, attributes, "attach a program to an interface's tc ingress hook")


def detach_tcx(program: Program, index: int) -> None:
    """Take a program from an interface's TCX ingress hook."""
    attributes = struct.pack("<IIIIIIQ", index, program.number, TCX_INGRESS, 0, 0, 0, 0)
    bpf(PROG_DETACH, attributes, "detach a program from an interface's tc ingress hook")


def _identifiers() -> Iterator[int]:
    """The numbers of all loaded programs.  Raises `BpfError`."""
    identifier = 0
    while True:
        answer = bytearray(struct.pack("<III", identifier, 0, 0))
        try:
            bpf(PROG_NEXT_ID, answer, "list the programs")
        except BpfError as error:
            if error.number != errno.ENOENT:
                raise
            return
        identifier = struct.unpack_from("<I", answer, 4)[0]
        yield identifier
