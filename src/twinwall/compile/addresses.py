"""Addresses: the line of elementary intervals of both families, and the search structure that leads to their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.rows import Intervals, RowPool
from twinwall.path.table_layout import LEAF
from twinwall.policy.sets import AddressSet

WIDTHS = (4, 16)  # bytes of an address, IPv4 and IPv6


@dataclass(frozen=True)
class AddressTable:
    """`index`: 2 x 65,536 numbers by the top 16 bits; `nodes`: what they point to; `steps`: halvings a search may need."""

    index: NDArray[np.uint32]
    nodes: NDArray[np.uint64]
    steps: int


def compile_addresses(sets: Sequence[AddressSet], pool: RowPool) -> AddressTable:
    """The table of one side, given the address set of every entry."""
    numbers: dict[AddressSet, int] = {}
    which = np.array([numbers.setdefault(each, len(numbers)) for each in sets], np.int64)
    families = [
        _Family.of([each.v4 for each in numbers], WIDTHS[0]),
        _Family.of([each.v6 for each in numbers], WIDTHS[1]),
    ]
    cells = [len(each.bounds) for each in families]
    rows = pool.add(sum(cells), _join(families[0], families[1], which, cells[0]))
    builder = _Nodes()
    index = np.concatenate(
        [
            builder.family(families[0].bounds, rows[: cells[0]], WIDTHS[0]),
            builder.family(families[1].bounds, rows[cells[0] :], WIDTHS[1]),
        ]
    )
    return AddressTable(index, builder.words(), builder.steps)


@dataclass(frozen=True)
class _Family:
    """The elementary intervals of one family, and the sets as ranges of them."""

    bounds: NDArray[np.bytes_]  # first address of each interval, big-endian, ascending; the first one is 0
    owner: NDArray[np.int64]  # which set, ascending
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    @classmethod
    def of(cls, sets: Sequence[tuple[tuple[int, int], ...]], width: int) -> _Family:
        top = (1 << (8 * width)) - 1
        owner = np.repeat(np.arange(len(sets)), [len(each) for each in sets])
        low = _keys([low for each in sets for low, _ in each], width)
        ends = [high for each in sets for _, high in each]
        after = _keys([high + 1 if high < top else 0 for high in ends], width)
        last = np.array([high == top for high in ends], np.bool_)
        bounds = np.unique(np.concatenate((_keys([0], width), low, after)))
        stop = np.where(last, len(bounds), np.searchsorted(bounds, after))
        return cls(bounds, owner, np.searchsorted(bounds, low), stop)


def _keys(values: Sequence[int], width: int) -> NDArray[np.bytes_]:
    """Addresses as big-endian byte strings, which NumPy sorts and searches as 128-bit numbers."""
    data = b"".join(value.to_bytes(width, "big") for value in values)
    return np.frombuffer(data, f"S{width}") if data else np.empty(0, f"S{width}")


def _join(v4: _Family, v6: _Family, which: NDArray[np.int64], shift: int) -> Intervals:
    """The intervals of every entry on the line of IPv4 cells followed by IPv6 cells."""
    owner = np.concatenate((v4.owner, v6.owner))
    order = np.argsort(owner, kind="stable")
    start = np.concatenate((v4.start, v6.start + shift))[order]
    stop = np.concatenate((v4.stop, v6.stop + shift))[order]
    count = np.bincount(owner, minlength=int(which.max(initial=-1)) + 1)
    offset = np.concatenate((np.zeros(1, np.int64), np.cumsum(count)))
    lengths = count[which]
    entry = np.repeat(np.arange(len(which)), lengths)
    place = np.arange(len(entry)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + np.repeat(offset[which], lengths)
    return Intervals(entry, start[place], stop[place])


class _Nodes:
    """Search nodes: each resolves 32 bits of an address (`path.table_layout`, "Address nodes")."""

    def __init__(self) -> None:
        self.steps = 0
        self._parts: list[NDArray[np.uint64]] = []
        self._size = 0

    def words(self) -> NDArray[np.uint64]:
        return np.concatenate([np.zeros(1, np.uint64), *self._parts])

    def _append(self, chunks: NDArray[np.uint64], values: NDArray[np.uint64]) -> int:
        """Add one node; its place, counted from the start of the nodes."""
        self.steps = max(self.steps, (len(chunks) - 1).bit_length())
        place = self._size + 1
        self._parts.append(np.concatenate((np.array([len(chunks)], np.uint64), (chunks << np.uint64(32)) | values)))
        self._size += len(chunks) + 1
        return place

    def family(self, bounds: NDArray[np.bytes_], rows: NDArray[np.uint32], width: int) -> NDArray[np.uint32]:
        """The index of one family, given the row of each elementary interval."""
        keep = np.concatenate((np.ones(1, np.bool_), rows[1:] != rows[:-1]))
        bounds, rows = bounds[keep], rows[keep]
        keys = _with_chunk_edges(bounds, width)
        values = rows[np.searchsorted(bounds, keys, "right") - 1].astype(np.uint64) | np.uint64(LEAF)
        chunks = np.frombuffer(keys.tobytes(), ">u4").reshape(-1, width // 4).astype(np.uint64)
        top, value = self._level(chunks, values)
        return self._index(top, value)

    def _level(self, chunks: NDArray[np.uint64], values: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The distinct first chunks, each with the value of its only key or with the place of a node for the rest."""
        heads = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), chunks[1:, 0] != chunks[:-1, 0])))
        ends = np.append(heads[1:], len(chunks))
        found = values[heads]
        for number in np.flatnonzero(ends - heads > 1):
            inside = slice(heads[number], ends[number])
            found[number] = self._append(*self._level(chunks[inside, 1:], values[inside]))
        return chunks[heads, 0], found

    def _index(self, chunks: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """The first level's keys, spread over the 65,536 places of their top 16 bits."""
        starts = np.arange(65536, dtype=np.uint64) << np.uint64(16)
        before = np.searchsorted(chunks, starts, "right") - 1
        index = values[before]
        after = np.append(before[1:], len(chunks) - 1)
        crowded = (after > before) | (index < LEAF)
        for place in np.flatnonzero(crowded):
            inside = slice(before[place], after[place] + 1)
            own = chunks[inside].copy()
            own[0] = starts[place]
            if place < 65535 and own[-1] == starts[place] + np.uint64(65536):
                own, inside = own[:-1], slice(inside.start, inside.stop - 1)
            index[place] = self._append(own, values[inside]) if len(own) > 1 or values[inside][0] < LEAF else values[inside][0]
        return index.astype(np.uint32)


def _with_chunk_edges(bounds: NDArray[np.bytes_], width: int) -> NDArray[np.bytes_]:
    """`bounds`, and around every bound inside a 32-bit chunk the start of that chunk and of the next one.

    Then the keys below one chunk either are one (the chunk is a leaf) or begin with the chunk's own start.
    """
    keys = {int.from_bytes(bound.ljust(width, b"\0"), "big") for bound in bounds.tolist()}
    for key in list(keys):
        for bits in range(32, 8 * width, 32):
            if key & ((1 << bits) - 1):
                start = key >> bits << bits
                keys.add(start)
                if start + (1 << bits) < 1 << (8 * width):
                    keys.add(start + (1 << bits))
    return _keys(sorted(keys), width)
