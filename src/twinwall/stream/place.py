"""Putting a piece's bytes into the datagram, unit by unit, each unit of 8 bytes knowing its owner.

All pieces but the last begin and end on a unit, and no piece reaches past the last one (`stream.fragments.contradicts`), so
a unit has one owner.  An owner of 0 is a hole.
"""

from __future__ import annotations

from twinwall.path.primitives import (
    Address,
    get,
    load_u8,
    load_u16,
    load_u64,
    put,
    store_u8,
    store_u16,
    store_u64,
)
from twinwall.stream.layout import (
    B_OWNERS,
    B_PAYLOAD,
    B_PIECES,
    H_FILLED,
    H_OWNERS,
    H_TAIL,
    H_TAIL_RUN,
    T_CAPTURED,
    T_LENGTH,
    T_OFFSET,
    T_PLACE,
    T_WINS,
    UNIT,
)
from twinwall.stream.overlap import new_wins

LOST = 0  # the piece brings nothing: every byte of it was there
MET = 1  # it overlaps, and the datagram is to be discarded
PLACED = 2  # some of its bytes are in the datagram
WON = 3  # its first unit is


def place_exclusive(table: Address, head: Address, body: Address, packet: Address) -> int:
    """Under `Overlap.DISCARD`: `LOST`, `MET` or `WON`.

    Linux tells a repeated piece from an overlapping one by runs: pieces that came one behind the other at the datagram's
    far end form a run, and a piece that lies wholly inside one run is a repetition, whatever its bytes are.
    """
    start = get(table, T_OFFSET)
    end = start + get(table, T_LENGTH)
    owner = load_u16(body, B_OWNERS + ((start >> 3) << 1))
    at = start
    while at < end:
        if load_u16(body, B_OWNERS + ((at >> 3) << 1)) != owner:
            return MET
        at = at + UNIT
    if owner != 0:
        return LOST
    if start == get(head, H_TAIL) and start != 0:
        run = get(head, H_TAIL_RUN)
    else:
        run = get(head, H_OWNERS) + 1
        put(head, H_OWNERS, run)
    at = start
    while at < end:
        store_u16(body, B_OWNERS + ((at >> 3) << 1), run)
        copy_unit(table, body, packet, at)
        at = at + UNIT
    put(head, H_FILLED, get(head, H_FILLED) + get(table, T_LENGTH))
    if end > get(head, H_TAIL):
        put(head, H_TAIL, end)
        put(head, H_TAIL_RUN, run)
    return WON


def place_contested(table: Address, head: Address, body: Address, packet: Address) -> int:
    """Under the other policies: each unit goes to whom the policy names; `LOST`, `PLACED` or `WON`."""
    start = get(table, T_OFFSET)
    end = start + get(table, T_LENGTH)
    piece = start | (end << 32)
    owner = get(head, H_OWNERS) + 1
    wins = get(table, T_WINS)
    outcome = LOST
    at = start
    while at < end:
        before = load_u16(body, B_OWNERS + ((at >> 3) << 1))
        if before == 0:
            put(head, H_FILLED, get(head, H_FILLED) + unit_length(table, at))
        if before == 0 or new_wins(wins, piece, load_u64(body, B_PIECES + (before << 3))):
            store_u16(body, B_OWNERS + ((at >> 3) << 1), owner)
            copy_unit(table, body, packet, at)
            if at == start:
                outcome = WON
            elif outcome == LOST:
                outcome = PLACED
        at = at + UNIT
    if outcome == LOST:
        return LOST
    store_u64(body, B_PIECES + (owner << 3), piece)
    put(head, H_OWNERS, owner)
    if end > get(head, H_TAIL):
        put(head, H_TAIL, end)
    return outcome


def unit_length(table: Address, at: int) -> int:
    """How many bytes of the unit at `at` the piece has: 8, or fewer at the datagram's end."""
    left = get(table, T_OFFSET) + get(table, T_LENGTH) - at
    if left > UNIT:
        return UNIT
    return left


def copy_unit(table: Address, body: Address, packet: Address, at: int) -> int:
    """Copy the piece's bytes of one unit into the datagram; those that the capture cut off become zero."""
    length = unit_length(table, at)
    from_start = at - get(table, T_OFFSET)
    captured = get(table, T_CAPTURED)
    source = get(table, T_PLACE) + from_start
    index = 0
    while index < length:
        byte = 0
        if from_start + index < captured:
            byte = load_u8(packet, source + index)
        store_u8(body, B_PAYLOAD + at + index, byte)
        index = index + 1
    return 0
