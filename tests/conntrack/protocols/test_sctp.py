"""The SCTP table: whole, reasoned, and packed without loss."""

from __future__ import annotations

from twinwall.conntrack.protocols.sctp import ROWS, STATES, TABLE, Chunk, SctpState, compile_rows
from twinwall.path.reason import Direction


def test_every_cell_has_a_state_and_a_reason():
    assert set(TABLE) == {(direction, chunk) for direction in (Direction.ORIGINAL, Direction.REPLY) for chunk in Chunk}
    for cells in TABLE.values():
        assert len(cells) == STATES
        assert all(cell.reason for cell in cells)


def test_packed_rows_are_the_table():
    rows = compile_rows()
    for (direction, chunk), cells in TABLE.items():
        for state, cell in enumerate(cells):
            assert rows[direction * ROWS + chunk] >> 4 * state & 15 == cell.state


def test_other_chunks_keep_every_state():
    rows = compile_rows()
    for direction in (0, 1):
        for kind in (0, 3, 12, 13):
            assert [rows[direction * ROWS + kind] >> 4 * state & 15 for state in range(STATES)] == list(range(STATES))


def test_no_reply_comes_first():
    assert {TABLE[Direction.REPLY, chunk][SctpState.NONE].state for chunk in Chunk} == {SctpState.INVALID}
