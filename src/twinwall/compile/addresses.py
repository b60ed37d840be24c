"""Addresses: the line of elementary intervals of both families, and the search structure that leads to their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.rows import Intervals, RowPool, ascending
from twinwall.path.table_layout import LEAF, SPREAD
from twinwall.policy.sets import AddressSet

Words = NDArray[np.uint64]
WIDTHS = (4, 16)  # bytes of an address, IPv4 and IPv6
FEW = 7  # bounds inside a prefix of IPv4 that are searched by halving; of more, the next byte of the address is an index
PLACES = np.arange(65536, dtype=np.uint64) << np.uint64(16)  # the prefixes that the index tells apart


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
        bounds = ascending(np.concatenate((_keys([0], width), low, after)))
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
        self._parts = [np.zeros(1, np.uint64)]  # place 0 is no node
        self._size = 1

    def words(self) -> Words:
        """All nodes, one after the other."""
        return np.concatenate(self._parts)

    def _pack(self, owner: NDArray[np.int64], owners: int, chunks: Words, values: Words) -> Words:
        """Make a node of the keys of each owner (ascending); the node's place by owner, 0 for owners without keys."""
        counts = np.bincount(owner, minlength=owners)
        lengths = np.where(counts > 0, counts + 1, 0)
        before = np.cumsum(lengths) - lengths
        words = np.zeros(int(lengths.sum()), np.uint64)
        words[before[counts > 0]] = counts[counts > 0]
        rank = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
        words[before[owner] + 1 + rank] = chunks << np.uint64(32) | values
        places = np.where(counts > 0, self._size + before, 0).astype(np.uint64)
        self.steps = max(self.steps, int(counts.max(initial=1) - 1).bit_length())
        self._parts.append(words)
        self._size += len(words)
        return places

    def family(self, bounds: NDArray[np.bytes_], rows: NDArray[np.uint32], width: int) -> NDArray[np.uint32]:
        """The index of one family, given the row of each elementary interval."""
        keep = np.concatenate((np.ones(1, np.bool_), rows[1:] != rows[:-1]))
        bounds, rows = bounds[keep], rows[keep]
        keys = _with_chunk_edges(bounds, width)
        values = rows[np.searchsorted(bounds, keys, "right") - 1].astype(np.uint64) | np.uint64(LEAF)
        chunks = np.frombuffer(keys.tobytes(), ">u4").reshape(-1, width // 4).astype(np.uint64)
        if width == WIDTHS[0]:
            return self._spread(chunks[:, 0], values, PLACES, 16).astype(np.uint32)
        return self._index(*self._levels(chunks, values))

    def _spread(self, keys: Words, values: Words, starts: Words, bits: int) -> Words:
        """The value of each prefix of IPv4, given by its first address: a row, a node, or 256 values for its next byte.

        `keys` are the bounds of the rows in `values`; `bits` of an address are behind the prefix.
        """
        before = np.searchsorted(keys, starts, "right")
        inside = np.searchsorted(keys, starts + np.uint64(1 << bits), "left") - before
        found = values[before - 1]
        few = np.flatnonzero((inside > 0) & (inside <= FEW))
        found[few] = self._search(keys, values, starts[few], before[few], inside[few])
        many = np.flatnonzero(inside > FEW)
        if len(many):
            steps = np.arange(256, dtype=np.uint64) << np.uint64(bits - 8)
            below = self._spread(keys, values, (starts[many, None] + steps).ravel(), bits - 8)
            found[many] = np.uint64(SPREAD) | self._place(below.astype(np.uint32).view(np.uint64), len(many))
        return found

    def _search(self, keys: Words, values: Words, starts: Words, before: NDArray[np.int64], inside: NDArray[np.int64]) -> Words:
        """A node for each prefix: its start, and the bounds inside it."""
        counts = inside + 1
        owner = np.repeat(np.arange(len(starts)), counts)
        at = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts) + before[owner] - 1
        first = at == before[owner] - 1
        return self._pack(owner, len(starts), np.where(first, starts[owner], keys[at]), values[at])

    def _place(self, words: Words, parts: int) -> Words:
        """Append words; where each of their `parts` equal parts begins."""
        place = self._size + np.arange(parts, dtype=np.uint64) * np.uint64(len(words) // parts)
        self._parts.append(words)
        self._size += len(words)
        return place.astype(np.uint64)

    def _levels(self, chunks: Words, values: Words) -> tuple[Words, Words]:
        """The distinct first chunks, each with the value of its only key or with the place of a node for the rest.

        Nodes are made from the last chunk upwards, because a node holds the places of the nodes below it.
        """
        differs = np.cumsum(chunks[1:] != chunks[:-1], axis=1) > 0
        new = np.concatenate((np.ones((1, chunks.shape[1]), np.bool_), differs))
        starts = [np.flatnonzero(column) for column in new.T]
        alone = [np.diff(each, append=len(chunks)) == 1 for each in starts]
        below = values
        for level in range(chunks.shape[1] - 1, 0, -1):
            heads = starts[level]
            found = np.where(alone[level], values[heads], below if level < chunks.shape[1] - 1 else 0)
            parent = np.searchsorted(starts[level - 1], heads, "right") - 1
            inside = ~alone[level - 1][parent]
            below = self._pack(parent[inside], len(starts[level - 1]), chunks[heads[inside], level], found[inside])
        top = starts[0]
        return chunks[top, 0], np.where(alone[0], values[top], below if chunks.shape[1] > 1 else 0)

    def _index(self, chunks: Words, values: Words) -> NDArray[np.uint32]:
        """The first level's keys, spread over the 65,536 places of their top 16 bits."""
        shift = np.uint64(16)
        keys = ascending(np.concatenate((chunks, chunks >> shift << shift)))  # a node begins with the start of its place
        held = values[np.searchsorted(chunks, keys, "right") - 1]
        places = (keys >> shift).astype(np.int64)
        crowded = (np.bincount(places, minlength=65536) > 1)[places] | (held < LEAF)
        index = values[np.searchsorted(chunks, np.arange(65536, dtype=np.uint64) << shift, "right") - 1]
        nodes = self._pack(places[crowded], 65536, keys[crowded], held[crowded])
        return np.where(nodes > 0, nodes, index).astype(np.uint32)


def _with_chunk_edges(bounds: NDArray[np.bytes_], width: int) -> NDArray[np.bytes_]:
    """`bounds`, and around every bound inside a 32-bit chunk the start of that chunk and of the next one.

    Then the keys below one chunk either are one (the chunk is a leaf) or begin with the chunk's own start.
    """
    if width == 4:
        return bounds
    keys = {int.from_bytes(bound.ljust(width, b"\0"), "big") for bound in bounds.tolist()}
    for key in list(keys):
        for bits in range(32, 8 * width, 32):
            if key & ((1 << bits) - 1):
                start = key >> bits << bits
                keys.add(start)
                if start + (1 << bits) < 1 << (8 * width):
                    keys.add(start + (1 << bits))
    return _keys(sorted(keys), width)
