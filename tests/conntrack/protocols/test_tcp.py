"""The TCP table: whole, reasoned, and packed without loss."""

from __future__ import annotations

import pytest

from twinwall.conntrack.protocols.tcp import KINDS, TABLE, SegmentKind, TcpState, compile_kinds, compile_rows
from twinwall.path.layout import ACK, FIN, RST, SYN, URG
from twinwall.path.reason import Direction

DIRECTIONS = (Direction.ORIGINAL, Direction.REPLY)
STATES = tuple(TcpState)[:10]
TABLED = tuple(SegmentKind)[:KINDS]


def test_every_cell_has_a_state_and_a_reason():
    assert set(TABLE) == {(direction, kind) for direction in DIRECTIONS for kind in TABLED}
    for cells in TABLE.values():
        assert len(cells) == len(STATES)
        assert all(cell.reason for cell in cells)


def test_packed_rows_are_the_table():
    rows = compile_rows()
    for (direction, kind), cells in TABLE.items():
        for state, cell in zip(STATES, cells, strict=True):
            assert rows[direction * KINDS + kind] >> 4 * state & 15 == cell.state


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_reset_always_closes_and_nonsense_never_counts(direction: Direction):
    assert {cell.state for cell in TABLE[direction, SegmentKind.RST][1:]} == {TcpState.CLOSE}
    assert {cell.state for cell in TABLE[direction, SegmentKind.NONE]} == {TcpState.INVALID}


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (SYN, SegmentKind.SYN),
        (SYN | URG, SegmentKind.SYN),
        (SYN | ACK, SegmentKind.SYNACK),
        (SYN | ACK | URG, SegmentKind.MALFORMED),
        (FIN | ACK, SegmentKind.FIN),
        (FIN, SegmentKind.MALFORMED),
        (RST | ACK, SegmentKind.RST),
        (RST | FIN, SegmentKind.MALFORMED),
        (SYN | FIN, SegmentKind.MALFORMED),
        (0, SegmentKind.MALFORMED),
    ],
)
@pytest.mark.parametrize("push", [0, 8])
def test_kind_of_flags(flags: int, push: int, kind: SegmentKind):
    words = compile_kinds()
    index = flags | push
    assert words[index >> 4] >> 4 * (index & 15) & 15 == kind
