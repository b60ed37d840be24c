"""Bit vectors of entries: one row for every distinct set of entries, made of blocks that rows share.

A field (source address, destination port, …) is a line of *cells*; an entry accepts some intervals of cells.  For each
block of 512 entries only the cells at which one of these entries begins or ends to accept differ, so a block costs what its
own entries cost, however long the line is: an exclusive-or running along the line yields the block's bits cell by cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.limits import check_cells, check_entries
from twinwall.path.table_layout import BLOCK_ENTRIES, BLOCK_WORDS

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)
U64_MASK = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True)
class Intervals:
    """Entry `entry[i]` accepts the cells `start[i] <= cell < stop[i]`; intervals of one entry do not overlap."""

    entry: I64  # ascending
    start: I64
    stop: I64


class RowPool:
    """The rows and blocks of one table, numbered in the order in which they are added."""

    def __init__(self, entries: int) -> None:
        check_entries(entries)
        self.words = max(1, -(-entries // 64))
        self.summaries = -(-self.words // 64)
        self.blocks_per_row = -(-self.words // BLOCK_WORDS)
        self.rows = 0
        self._numbers: dict[bytes, int] = {}
        self._rows: list[NDArray[np.uint32]] = []  # block numbers, rows x blocks_per_row

    @property
    def stride(self) -> int:
        """Words from row to row: whole cache lines, or a power of two below."""
        need = self.summaries + -(-self.blocks_per_row // 2)
        return 1 << (need - 1).bit_length() if need <= BLOCK_WORDS else -(-need // BLOCK_WORDS) * BLOCK_WORDS

    @property
    def blocks(self) -> int:
        """How many distinct blocks there are."""
        return len(self._numbers)

    def add(self, cells: int, accepted: Intervals) -> NDArray[np.uint32]:
        """The row number of every cell of a line of `cells` cells; `TooLargeError` where they would not fit."""
        check_cells(cells, self.blocks_per_row)
        numbers = np.empty((self.blocks_per_row, cells), np.uint32)
        edges = np.searchsorted(accepted.entry, np.arange(self.blocks_per_row + 1) * BLOCK_ENTRIES)
        for block in range(self.blocks_per_row):
            part = slice(edges[block], edges[block + 1])
            self._fill(numbers[block], accepted.entry[part] % BLOCK_ENTRIES, accepted.start[part], accepted.stop[part])
        first, inverse = distinct_columns(numbers)
        self._rows.append(np.ascontiguousarray(numbers[:, first].T))
        base = self.rows
        self.rows += len(first)
        return (base + inverse).astype(np.uint32)

    def _fill(self, numbers: NDArray[np.uint32], bit: I64, start: I64, stop: I64) -> None:
        """Write the block number of every cell, for the block whose entries accept as given."""
        edges = ascending(np.concatenate((np.zeros(1, np.int64), start, stop)))
        toggles = np.zeros((len(edges), BLOCK_WORDS), np.uint64)
        mask = np.uint64(1) << (bit & 63).astype(np.uint64)
        np.bitwise_xor.at(toggles, (np.searchsorted(edges, start), bit >> 6), mask)
        np.bitwise_xor.at(toggles, (np.searchsorted(edges, stop), bit >> 6), mask)
        blocks = np.bitwise_xor.accumulate(toggles, axis=0)
        known = self._numbers
        own = np.array([known.setdefault(row.tobytes(), len(known)) for row in blocks], np.uint32)
        lengths = np.diff(edges, append=len(numbers))
        inside = lengths > 0  # an edge at the end of the line starts no cell
        numbers[:] = np.repeat(own[inside], lengths[inside])

    def row_words(self, first_block: int) -> U64:
        """All rows, as `path.table_layout` wants them, where the blocks start at word `first_block` of the table."""
        per_row = self.blocks_per_row
        numbers = np.concatenate(self._rows)
        words = np.zeros((self.rows, self.stride), np.uint64)
        summary = self._summaries_of_blocks()[numbers]
        words.view(np.uint8)[:, :per_row] = summary
        words[:, self.summaries :].view(np.uint32)[:, :per_row] = first_block + BLOCK_WORDS * numbers
        return words.reshape(-1)

    def block_words(self) -> U64:
        """All blocks, one after the other."""
        return np.frombuffer(b"".join(self._numbers), np.uint64)

    def _summaries_of_blocks(self) -> NDArray[np.uint8]:
        """For each block, which of its words are not empty."""
        return np.packbits(self.block_words().reshape(-1, BLOCK_WORDS) != 0, axis=1, bitorder="little")[:, 0]


def ascending(values: NDArray[Number]) -> NDArray[Number]:
    """The distinct values, in order (`np.unique` spends a tenth of a second to import masked arrays)."""
    ordered = np.sort(values)
    new: NDArray[np.bool_] = np.concatenate((np.ones(min(1, len(ordered)), np.bool_), ordered[1:] != ordered[:-1]))
    return ordered[new]


def _odd(place: int) -> int:
    """An odd multiplier, another one for each place: Steele, Lea and Flood's SplitMix64."""
    word = (place + 1) * 0x9E3779B97F4A7C15 & U64_MASK
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & U64_MASK
    word = (word ^ word >> 27) * 0x94D049BB133111EB & U64_MASK
    return (word ^ word >> 31) | 1


def distinct_columns(numbers: NDArray[np.uint32]) -> tuple[I64, I64]:
    """A representative of each set of equal columns, and for every column which set it belongs to.

    Columns are told apart by a 64-bit sum first; where that is not proof (two different columns, one sum), byte by byte.
    """
    multipliers = np.array([_odd(place) for place in range(numbers.shape[0])], np.uint64)
    total = np.zeros(numbers.shape[1], np.uint64)
    for row, multiplier in zip(numbers, multipliers, strict=True):
        total += (row.astype(np.uint64) + np.uint64(1)) * multiplier
    _, first, inverse = np.unique(total, return_index=True, return_inverse=True)
    if all(np.array_equal(row, row[first][inverse]) for row in numbers):
        return first, inverse
    _, first, inverse = np.unique(numbers, axis=1, return_index=True, return_inverse=True)
    return first, inverse.reshape(-1)
