"""Rows: whatever intervals entries accept, each cell's row holds exactly these entries' bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twinwall.compile import rows
from twinwall.compile.rows import Intervals, RowPool, distinct_columns

FIRST_BLOCK = 1000  # a table whose blocks start here


def row_bits(pool, number):
    """The entries in row `number`, read from the words as the packet path does."""
    words = pool.row_words(FIRST_BLOCK).reshape(-1, pool.stride)[number]
    blocks = pool.block_words().reshape(-1, 8)
    starts = words[pool.summaries :].view(np.uint32)[: pool.blocks_per_row]
    numbers = (starts - FIRST_BLOCK) // 8
    bits = blocks[numbers].reshape(-1)
    summary = np.unpackbits(words[: pool.summaries].view(np.uint8), bitorder="little")[: len(bits)]
    assert np.array_equal(summary != 0, bits != 0)
    return set(np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little")).tolist())


@settings(deadline=None)
@given(st.data())
def test_a_row_holds_the_entries_that_accept_its_cell(data):
    cells = data.draw(st.integers(1, 12))
    entries = data.draw(st.integers(0, 40)) * 29  # up to 1,160: three blocks
    drawn = data.draw(st.lists(st.tuples(st.integers(0, max(entries - 1, 0)), st.integers(0, cells), st.integers(0, cells))))
    accepted = {entry: sorted((a, b)) for entry, a, b in drawn} if entries else {}
    ordered = sorted(accepted)
    intervals = Intervals(
        np.array(ordered, np.int64),
        np.array([accepted[each][0] for each in ordered], np.int64),
        np.array([accepted[each][1] for each in ordered], np.int64),
    )
    pool = RowPool(entries)
    numbers = pool.add(cells, intervals)
    for cell in range(cells):
        assert row_bits(pool, numbers[cell]) == {each for each in ordered if accepted[each][0] <= cell < accepted[each][1]}


def test_cells_that_the_same_entries_accept_share_a_row():
    pool = RowPool(3)
    one = np.array([0], np.int64)
    numbers = pool.add(5, Intervals(one, one, np.array([2], np.int64)))
    assert numbers.tolist() == [numbers[0]] * 2 + [numbers[2]] * 3
    assert pool.rows == 2


def test_columns_with_equal_sums_are_told_apart(monkeypatch):
    class Ones:
        def integers(self, *arguments):
            return np.zeros(2, np.uint64)  # every multiplier becomes 1: the sum forgets the order

    monkeypatch.setattr(rows.np.random, "default_rng", lambda seed: Ones())
    first, inverse = distinct_columns(np.array([[1, 2, 1], [2, 1, 2]], np.uint32))
    assert len(first) == 2
    assert inverse[0] == inverse[2] != inverse[1]
