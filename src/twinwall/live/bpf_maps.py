"""BPF maps: memory that programs and userspace share.

Three kinds are used: arrays (of one large value that a program reads by address, or of small ones), arrays with a value for
each CPU, and arrays of programs.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from twinwall.live.bpf import (
    MAP_CREATE,
    MAP_DELETE,
    MAP_FD_BY_ID,
    MAP_FREEZE,
    MAP_LOOKUP,
    MAP_LOOKUP_BATCH,
    MAP_UPDATE,
    OBJ_PIN,
    Descriptor,
    bpf,
)

ARRAY, PROGRAM_ARRAY, PERCPU_ARRAY = 2, 3, 6
RDONLY_PROG, MAPPABLE = 1 << 7, 1 << 10
INFORMATION = struct.Struct("<6I16s")  # the beginning of struct bpf_map_info


class MapInformation(NamedTuple):
    """What the kernel says of a map."""

    kind: int
    identifier: int
    value_bytes: int
    entries: int
    name: str


class Map(Descriptor):
    """A map with 32-bit keys that count from 0."""

    def __init__(self, number: int, value_bytes: int, entries: int) -> None:
        super().__init__(number)
        self.value_bytes = value_bytes
        self.entries = entries

    @classmethod
    def create(cls, kind: int, value_bytes: int, entries: int, *, flags: int = 0, name: str = "") -> Self:
        """Make a map.  Raises `BpfError`."""
        attributes = struct.pack("<7I16s", kind, 4, value_bytes, entries, flags, 0, 0, name.encode())
        return cls(bpf(MAP_CREATE, attributes, f"create the map {name}"), value_bytes, entries)

    @classmethod
    def of_identifier(cls, identifier: int) -> Self:
        """A map that exists already.  Raises `BpfError`."""
        found = cls(bpf(MAP_FD_BY_ID, struct.pack("<III", identifier, 0, 0), f"open map {identifier}"), 0, 0)
        about = found.about()
        found.value_bytes, found.entries = about.value_bytes, about.entries
        return found

    def about(self) -> MapInformation:
        """What the kernel says of this map."""
        kind, identifier, _, value_bytes, entries, _, name = INFORMATION.unpack(self.information(INFORMATION.size))
        return MapInformation(kind, identifier, value_bytes, entries, name.rstrip(b"\0").decode())

    def _call(self, command: int, key: int, value: ctypes.Array[ctypes.c_char] | None, action: str) -> None:
        place = ctypes.c_uint32(key)
        address = ctypes.addressof(value) if value is not None else 0
        bpf(command, struct.pack("<iIQQQ", self.number, 0, ctypes.addressof(place), address, 0), action)

    def update(self, value: bytes, index: int = 0) -> None:
        """Write one value."""
        self._call(MAP_UPDATE, index, ctypes.create_string_buffer(value, self.value_bytes), "write a map")

    def read(self, index: int = 0) -> bytes:
        """Read one value."""
        value = ctypes.create_string_buffer(self.value_bytes)
        self._call(MAP_LOOKUP, index, value, "read a map")
        return value.raw

    def freeze(self) -> None:
        """Make the map constant, for programs and for everybody else."""
        bpf(MAP_FREEZE, struct.pack("<I", self.number), "freeze a map")

    def pin(self, path: str) -> None:
        """Give the map a name in a BPF file system, which keeps it (and what an array of programs holds) without a process."""
        name = ctypes.create_string_buffer(path.encode())
        bpf(OBJ_PIN, struct.pack("<QII", ctypes.addressof(name), self.number, 0), f"pin a map at {path}")


class ArrayMap(Map):
    """An array; `mapped` gives its memory, where it was made with `MAPPABLE`."""

    @classmethod
    def constant(cls, content: bytes, value_bytes: int, name: str) -> Self:
        """An array of one value that nobody can write any more: `content`, padded with zeros."""
        made = cls.create(ARRAY, value_bytes, 1, flags=RDONLY_PROG, name=name)
        try:
            made.update(content)
            made.freeze()
        except BaseException:
            made.close()
            raise
        return made

    def mapped(self) -> mmap.mmap:
        """The array's memory, shared with the kernel's programs."""
        return mmap.mmap(self.number, self.value_bytes * self.entries, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)


class PercpuArray(Map):
    """An array with a value for each CPU; values have a multiple of 8 bytes."""

    @classmethod
    def make(cls, value_bytes: int, entries: int, name: str) -> Self:
        """Make one.  Raises `BpfError`."""
        return cls.create(PERCPU_ARRAY, value_bytes, entries, name=name)

    def read(self, index: int = 0) -> bytes:
        """Read one index: all CPUs' values one after the other."""
        value = ctypes.create_string_buffer(self.value_bytes * possible_cpus())
        self._call(MAP_LOOKUP, index, value, "read a map")
        return value.raw

    def words(self) -> NDArray[np.uint64]:
        """All values, as 64-bit words: index x CPU x word."""
        cpus = possible_cpus()
        values = np.zeros((self.entries, cpus, self.value_bytes // 8), np.uint64)
        keys = np.zeros(self.entries, np.uint32)
        position = ctypes.c_uint32(0)
        at = ctypes.addressof(position)
        fields = (0, at, keys.ctypes.data, values.ctypes.data, self.entries, self.number, 0, 0)
        bpf(MAP_LOOKUP_BATCH, struct.pack("<QQQQIIQQ", *fields), "read a map")
        return values


class ProgramArray(Map):
    """Programs that another program may continue with.  It forgets them when no process and no pin holds it."""

    @classmethod
    def make(cls, entries: int, name: str) -> Self:
        """Make one.  Raises `BpfError`."""
        return cls.create(PROGRAM_ARRAY, 4, entries, name=name)

    def put(self, program: Descriptor, index: int = 0) -> None:
        """Set one place."""
        self.update(struct.pack("<I", program.number), index)

    def remove(self, index: int = 0) -> None:
        """Empty one place."""
        self._call(MAP_DELETE, index, None, "empty a map")


def possible_cpus() -> int:
    """How many CPUs a per-CPU map has values for."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as stream:
        last = stream.read().strip().replace(",", "-").split("-")[-1]
    return int(last) + 1
