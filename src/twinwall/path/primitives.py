"""The primitives: the only place where the three targets of the packet path differ.

A packet-path function is plain Python over unsigned 64-bit scalars.  It touches memory through these functions and
through nothing else.  What stands here is their meaning when CPython interprets them; `targets` gives each of them a body
for the processor (Numba) and for eBPF.  Interpreted, an address is a `Pointer`, so every access is checked and a wild one
raises `IndexError` instead of reading a neighbour; compiled, it is a plain 64-bit address.

Arithmetic is modulo 2**64 when compiled and unbounded here: a result that may leave the range (a subtraction, `~`, a
product) is masked at once by the code that computes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "Address",
    "Pointer",
    "another",
    "branchless",
    "get",
    "load_be16",
    "load_be32",
    "load_be64",
    "load_u8",
    "load_u16",
    "load_u32",
    "load_u64",
    "note",
    "opaque",
    "prefetch",
    "put",
    "store_u8",
    "store_u16",
    "store_u32",
    "store_u64",
    "table_at",
    "table_u16",
    "table_u32",
    "trailing_zeros",
]

SCRATCH_WORD = 15  # path.layout.W_SCRATCH


class Pointer:
    """A checked address: a place inside one piece of memory.  `notes`, where set, collects what `note` says."""

    __slots__ = ("at", "memory", "notes")

    def __init__(self, memory: Buffer, at: int = 0, notes: list[tuple[int, int]] | None = None) -> None:
        self.memory = memory if isinstance(memory, memoryview) else memoryview(memory).cast("B")
        self.at = at
        self.notes = notes

    def __add__(self, distance: int) -> Pointer:
        return Pointer(self.memory, self.at + distance, self.notes)

    def __sub__(self, other: Pointer) -> int:
        return self.at - other.at

    def __gt__(self, other: Pointer) -> bool:
        return self.at > other.at

    def __ge__(self, other: Pointer) -> bool:
        return self.at >= other.at

    def __lt__(self, other: Pointer) -> bool:
        return self.at < other.at

    def __le__(self, other: Pointer) -> bool:
        return self.at <= other.at

    def load(self, offset: int, size: int, order: Literal["little", "big"] = "little") -> int:
        start = self.at + offset
        if start < 0 or start + size > len(self.memory):
            raise IndexError(f"read of {size} bytes at {start} outside {len(self.memory)} bytes")
        return int.from_bytes(self.memory[start : start + size], order)

    def store(self, offset: int, size: int, value: int) -> None:
        start = self.at + offset
        if start < 0 or start + size > len(self.memory):
            raise IndexError(f"write of {size} bytes at {start} outside {len(self.memory)} bytes")
        self.memory[start : start + size] = (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")


Address = Pointer  # how packet-path functions annotate an address


def load_u8(base: Address, offset: int) -> int:
    """The byte at `base + offset`."""
    return base.load(offset, 1)


def load_u16(base: Address, offset: int) -> int:
    """The little-endian 16-bit value at `base + offset` (tables and state; packet fields are big-endian: `path.wire`)."""
    return base.load(offset, 2)


def load_u32(base: Address, offset: int) -> int:
    """The little-endian 32-bit value at `base + offset`."""
    return base.load(offset, 4)


def load_u64(base: Address, offset: int) -> int:
    """The little-endian 64-bit value at `base + offset`."""
    return base.load(offset, 8)


def load_be16(base: Address, offset: int) -> int:
    """The big-endian 16-bit value at `base + offset`, which need not be aligned."""
    return base.load(offset, 2, "big")


def load_be32(base: Address, offset: int) -> int:
    """The big-endian 32-bit value at `base + offset`."""
    return base.load(offset, 4, "big")


def load_be64(base: Address, offset: int) -> int:
    """The big-endian 64-bit value at `base + offset`."""
    return base.load(offset, 8, "big")


def store_u8(base: Address, offset: int, value: int) -> None:
    """Write the low 8 bits of `value`."""
    base.store(offset, 1, value)


def store_u16(base: Address, offset: int, value: int) -> None:
    """Write the low 16 bits of `value`, little-endian."""
    base.store(offset, 2, value)


def store_u32(base: Address, offset: int, value: int) -> None:
    """Write the low 32 bits of `value`, little-endian."""
    base.store(offset, 4, value)


def store_u64(base: Address, offset: int, value: int) -> None:
    """Write the 64 bits of `value`, little-endian."""
    base.store(offset, 8, value)


def table_at(table: Address, index: int) -> int:
    """Word `index` of a read-only table of 64-bit words."""
    return table.load(index << 3, 8)


def table_u32(table: Address, index: int) -> int:
    """The 32-bit value `index` of a table seen as an array of such; the word primitives above it likewise check the index."""
    return table.load(index << 2, 4)


def table_u16(table: Address, index: int) -> int:
    """The 16-bit value `index` of a table seen as an array of such."""
    return table.load(index << 1, 2)


def put(record: Address, word: int, value: int) -> None:
    """Set word `word` of a record."""
    record.store(word << 3, 8, value)


def get(record: Address, word: int) -> int:
    """Word `word` of a record."""
    return record.load(word << 3, 8)


def opaque(record: Address, value: int) -> int:  # noqa: ARG001 - the eBPF body uses it
    """`value`; in eBPF through the record's scratch word, so that the verifier forgets it and its states merge."""
    return value


def another(turn: int, limit: int) -> int:
    """1 if a loop may take turn number `turn`, else 0: in eBPF perhaps left to the kernel, which bounds the turns itself.

    So the loop must end before `limit` by its own condition; `limit` is the bound that can be proved beforehand.
    """
    return 1 if turn < limit else 0


def branchless(value: int) -> int:
    """`value`, of which the optimiser may know nothing: keeps a selection from turning into an unpredictable branch."""
    return value


def trailing_zeros(value: int) -> int:
    """How many zero bits stand below the lowest set bit; 64 for zero."""
    return (value & -value).bit_length() - 1 if value else 64


def prefetch(base: Address, offset: int) -> None:
    """A hint that `base + offset` is read soon; nothing but time depends on it."""


def note(record: Address, event: int, value: int) -> None:
    """Tell the recorder, if there is one, what just happened; compiled away in the other two targets."""
    if record.notes is not None:
        record.notes.append((int(event), value))
