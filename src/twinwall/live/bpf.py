"""The bpf system call: maps, programs, test runs.

Written against <linux/bpf.h>; no library is needed.  Everything is a file descriptor that is closed with its object.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from twinwall.targets.ebpf import RECORD_VALUE_BYTES, RECORDS_SYMBOL, TABLE_SYMBOL, EbpfProgram
from twinwall.targets.elf import ProgramCode

SYSCALL_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, PROG_LOAD, PROG_TEST_RUN, MAP_FREEZE = 0, 1, 2, 5, 10, 22
ARRAY, PERCPU_ARRAY = 2, 6
PROG_TYPE_XDP = 6
RDONLY_PROG = 1 << 7
LOAD_MAP_FD, LOAD_MAP_VALUE = 1, 2
LOG_BYTES = 1 << 24

_libc = ctypes.CDLL(None, use_errno=True)


class BpfError(OSError):
    """The kernel refused; `log` is what the verifier wrote, if it was asked."""

    def __init__(self, number: int, action: str, log: str = "") -> None:
        super().__init__(number, f"{action}: {os.strerror(number)}")
        self.log = log


def bpf(command: int, attributes: bytes | bytearray, action: str) -> int:
    """Make one bpf system call and return its result.  Raises `BpfError`."""
    number = SYSCALL_NUMBERS.get(platform.machine())
    if number is None:
        raise BpfError(38, f"{action} on {platform.machine()}")
    block = ctypes.create_string_buffer(bytes(attributes), len(attributes))
    result = int(_libc.syscall(number, command, block, len(attributes)))
    if result < 0:
        raise BpfError(ctypes.get_errno(), action)
    if isinstance(attributes, bytearray):
        attributes[:] = block.raw
    return result


class Descriptor:
    """A kernel object that lives as long as its file descriptor."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """Let the object go."""
        if self.number >= 0:
            os.close(self.number)
            self.number = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class ArrayMap(Descriptor):
    """An array map; `per_cpu` gives every CPU its own values."""

    def __init__(self, value_bytes: int, entries: int = 1, *, per_cpu: bool = False, read_only: bool = False) -> None:
        kind = PERCPU_ARRAY if per_cpu else ARRAY
        flags = RDONLY_PROG if read_only else 0
        super().__init__(bpf(MAP_CREATE, struct.pack("<5I", kind, 4, value_bytes, entries, flags), "create a map"))
        self.value_bytes = value_bytes
        self.read_size = value_bytes * _possible_cpus() if per_cpu else value_bytes
        self._key = ctypes.c_uint32(0)
        self._value = ctypes.create_string_buffer(self.read_size)
        self._attributes = struct.pack("<IIQQQ", self.number, 0, ctypes.addressof(self._key), ctypes.addressof(self._value), 0)

    def update(self, value: bytes, index: int = 0) -> None:
        """Write one value."""
        self._key.value = index
        ctypes.memmove(self._value, value, len(value))
        bpf(MAP_UPDATE, self._attributes, "write a map")

    def read(self, index: int = 0) -> bytes:
        """Read one value; of a per-CPU map, all CPUs' values one after the other."""
        self._key.value = index
        bpf(MAP_LOOKUP, self._attributes, "read a map")
        return self._value.raw

    def freeze(self) -> None:
        """Make the map constant, for programs and for everybody else."""
        bpf(MAP_FREEZE, struct.pack("<I", self.number), "freeze a map")


class Program(Descriptor):
    """A loaded XDP program."""

    def __init__(self, code: ProgramCode, maps: Mapping[str, tuple[ArrayMap, int]], *, log: bool = False) -> None:
        """Fill in the maps and load.  `maps`: symbol → (map, LOAD_MAP_FD or LOAD_MAP_VALUE).

        Raises `BpfError` with the verifier's log when the kernel refuses the program.
        """
        instructions = bytearray(code.instructions)
        for place in code.places:
            filled, kind = maps[place.symbol]
            instructions[place.offset + 1] = instructions[place.offset + 1] & 0x0F | kind << 4
            struct.pack_into("<i", instructions, place.offset + 4, filled.number)
            struct.pack_into("<i", instructions, place.offset + 12, 0)
        self.verifier_log = ""
        try:
            super().__init__(self._load(instructions, log=log))
        except BpfError as error:
            if error.log or error.errno == 1:
                raise
            self._load(instructions, log=True)
            raise
        self.maps = maps

    def _load(self, instructions: bytearray, *, log: bool) -> int:
        code = ctypes.create_string_buffer(bytes(instructions), len(instructions))
        licence = ctypes.create_string_buffer(b"GPL")
        text = ctypes.create_string_buffer(LOG_BYTES if log else 1)
        attributes = struct.pack(
            "<IIQQIIQII16s",
            PROG_TYPE_XDP,
            len(instructions) // 8,
            ctypes.addressof(code),
            ctypes.addressof(licence),
            1 if log else 0,
            LOG_BYTES if log else 0,
            ctypes.addressof(text) if log else 0,
            0,
            0,
            b"twinwall",
        )
        try:
            number = bpf(PROG_LOAD, attributes, "load the program")
        except BpfError as error:
            raise BpfError(error.errno or 0, "load the program", text.value.decode(errors="replace")) from None
        self.verifier_log = text.value.decode(errors="replace")
        return number

    def run(self, frame: bytes, repeat: int = 1) -> tuple[int, int]:
        """Run the program on one frame in the kernel: its XDP action, and the mean time in nanoseconds."""
        data = ctypes.create_string_buffer(frame, len(frame))
        attributes = bytearray(struct.pack("<IIIIQQIIIIQQIII4x", self.number, 0, len(frame), 0, ctypes.addressof(data), 0,
                                           repeat, 0, 0, 0, 0, 0, 0, 0, 0))  # fmt: skip
        bpf(PROG_TEST_RUN, attributes, "run the program")
        action, duration = struct.unpack_from("<I", attributes, 4)[0], struct.unpack_from("<I", attributes, 36)[0]
        return action, duration


def _possible_cpus() -> int:
    """How many CPUs a per-CPU map has values for."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as stream:
        last = stream.read().strip().replace(",", "-").split("-")[-1]
    return int(last) + 1


class LoadedPolicy:
    """A program together with its maps: the policy's table, frozen, and the per-CPU records."""

    def __init__(self, program: EbpfProgram, table: bytes, *, log: bool = False) -> None:
        """Load.  `table` is the policy's words; it is padded to the program's size.  Raises `BpfError`."""
        self.table = ArrayMap(program.table_words * 8, read_only=True)
        self.records = ArrayMap(RECORD_VALUE_BYTES, per_cpu=True)
        self.table.update(table.ljust(program.table_words * 8, b"\0"))
        self.table.freeze()
        maps = {TABLE_SYMBOL: (self.table, LOAD_MAP_VALUE), RECORDS_SYMBOL: (self.records, LOAD_MAP_FD)}
        try:
            self.program = Program(program.code, maps, log=log)
        except BpfError:
            self._close_maps()
            raise

    def _close_maps(self) -> None:
        self.table.close()
        self.records.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.program.close()
        self._close_maps()


def load_policy(program: EbpfProgram, table: bytes, *, log: bool = False) -> LoadedPolicy:
    """Load a program with its policy; a context manager that lets everything go at its end."""
    return LoadedPolicy(program, table, log=log)
