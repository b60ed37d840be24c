"""The TCP machine: its states, its segment kinds, its table with a reason in every cell, and how the table is read.

The states and transitions are those of Linux's tracker (which follows RFC 9293 from the middle of the path, where a
segment may still be lost behind us).  `TABLE` is the specification; `compile_rows` packs it into one word for each pair of
direction and segment kind, 4 bits for each state, so that a step is one load.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from twinwall.path.layout import ACK, FIN, RST, SYN, URG
from twinwall.path.reason import Direction


class TcpState(IntEnum):
    """A connection's state, spelled and numbered as Linux does."""

    NONE = 0
    SYN_SENT = 1
    SYN_RECV = 2
    ESTABLISHED = 3
    FIN_WAIT = 4
    CLOSE_WAIT = 5
    LAST_ACK = 6
    TIME_WAIT = 7
    CLOSE = 8
    SYN_SENT2 = 9
    IGNORE = 10  # no state: the segment passes with its label and changes nothing
    INVALID = 11  # no state: the segment does not belong here


class SegmentKind(IntEnum):
    """What a segment is to the table: RST before SYN before FIN before ACK."""

    SYN = 0
    SYNACK = 1
    FIN = 2
    ACK = 3
    RST = 4
    NONE = 5
    MALFORMED = 15  # a combination of flags that no stack sends


class Cell(NamedTuple):
    """Where a segment leads, and why."""

    state: TcpState
    reason: str


# The reasons, each with the mnemonic that the table below uses.
OPENS = "the client opens a connection"
REOPENS = "a new SYN may reopen a closed connection; if it may not, it passes and is remembered"
REPEATS = "a repeated segment; the state stays"
CROSSES = "both sides sent a SYN: a simultaneous open"
ANSWERS = "the other side answers the SYN"
COMPLETES = "the handshake is complete"
CLOSES = "one side begins to close"
CLOSES_TOO = "the other side closes as well, or the FIN came again"
HALF = "the FIN was acknowledged; the other direction may still send"
FINISHES = "the last FIN was acknowledged"
LINGERS = "a late segment of a closed connection"
DATA = "data or an acknowledgement"
RESETS = "a reset ends the connection"
OUT_OF_SYNC = "the two ends may know better than we: let the other end answer"
PICKED_UP = "a connection whose start was not seen"
NO_START = "nothing can start with this segment"
WRONG_SIDE = "the server does not send this to open a connection, nor the client to accept one"
TOO_EARLY = "before the handshake is complete no such segment can come"
EARLY_DATA = "the server may send before the client's last ACK reached us"
UNUSED = "a reply cannot come before the first packet"
IMPOSSIBLE = "no stack sends this combination of flags"

_NO, _SS, _SR, _ES, _FW, _CW, _LA, _TW, _CL, _S2, _IG, _IV = TcpState

_ORIGINAL, _REPLY = Direction.ORIGINAL, Direction.REPLY

# One row for each direction and kind; the cells stand in the order of the states they apply to, NONE to SYN_SENT2.
TABLE: dict[tuple[Direction, SegmentKind], tuple[Cell, ...]] = {
    (_ORIGINAL, SegmentKind.SYN): (
        Cell(_SS, OPENS),
        Cell(_SS, REPEATS),
        Cell(_IG, OUT_OF_SYNC),
        Cell(_IG, OUT_OF_SYNC),
        Cell(_IG, OUT_OF_SYNC),
        Cell(_IG, OUT_OF_SYNC),
        Cell(_IG, OUT_OF_SYNC),
        Cell(_SS, REOPENS),
        Cell(_SS, REOPENS),
        Cell(_S2, REPEATS),
    ),
    (_ORIGINAL, SegmentKind.SYNACK): (
        Cell(_IV, NO_START),
        Cell(_IV, WRONG_SIDE),
        Cell(_SR, ANSWERS),
        Cell(_IV, WRONG_SIDE),
        Cell(_IV, WRONG_SIDE),
        Cell(_IV, WRONG_SIDE),
        Cell(_IV, WRONG_SIDE),
        Cell(_IV, WRONG_SIDE),
        Cell(_IV, WRONG_SIDE),
        Cell(_SR, ANSWERS),
    ),
    (_ORIGINAL, SegmentKind.FIN): (
        Cell(_IV, NO_START),
        Cell(_IV, TOO_EARLY),
        Cell(_FW, CLOSES),
        Cell(_FW, CLOSES),
        Cell(_LA, CLOSES_TOO),
        Cell(_LA, CLOSES_TOO),
        Cell(_LA, REPEATS),
        Cell(_TW, LINGERS),
        Cell(_CL, LINGERS),
        Cell(_IV, TOO_EARLY),
    ),
    (_ORIGINAL, SegmentKind.ACK): (
        Cell(_ES, PICKED_UP),
        Cell(_IV, TOO_EARLY),
        Cell(_ES, COMPLETES),
        Cell(_ES, DATA),
        Cell(_CW, HALF),
        Cell(_CW, DATA),
        Cell(_TW, FINISHES),
        Cell(_TW, LINGERS),
        Cell(_CL, LINGERS),
        Cell(_IV, TOO_EARLY),
    ),
    (_ORIGINAL, SegmentKind.RST): (Cell(_IV, NO_START), *(Cell(_CL, RESETS),) * 9),
    (_ORIGINAL, SegmentKind.NONE): (Cell(_IV, IMPOSSIBLE),) * 10,
    (_REPLY, SegmentKind.SYN): (
        Cell(_IV, UNUSED),
        Cell(_S2, CROSSES),
        Cell(_IV, WRONG_SIDE),
        Cell(_IV, WRONG_SIDE),
        Cell(_IV, WRONG_SIDE),
        Cell(_IV, WRONG_SIDE),
        Cell(_IV, WRONG_SIDE),
        Cell(_SS, REOPENS),
        Cell(_IV, WRONG_SIDE),
        Cell(_S2, REPEATS),
    ),
    (_REPLY, SegmentKind.SYNACK): (
        Cell(_IV, UNUSED),
        Cell(_SR, ANSWERS),
        *(Cell(_IG, OUT_OF_SYNC),) * 7,
        Cell(_SR, ANSWERS),
    ),
    (_REPLY, SegmentKind.FIN): (
        Cell(_IV, UNUSED),
        Cell(_IV, TOO_EARLY),
        Cell(_FW, CLOSES),
        Cell(_FW, CLOSES),
        Cell(_LA, CLOSES_TOO),
        Cell(_LA, CLOSES_TOO),
        Cell(_LA, REPEATS),
        Cell(_TW, LINGERS),
        Cell(_CL, LINGERS),
        Cell(_IV, TOO_EARLY),
    ),
    (_REPLY, SegmentKind.ACK): (
        Cell(_IV, UNUSED),
        Cell(_IG, OUT_OF_SYNC),
        Cell(_SR, EARLY_DATA),
        Cell(_ES, DATA),
        Cell(_CW, HALF),
        Cell(_CW, DATA),
        Cell(_TW, FINISHES),
        Cell(_TW, LINGERS),
        Cell(_CL, LINGERS),
        Cell(_IG, OUT_OF_SYNC),
    ),
    (_REPLY, SegmentKind.RST): (Cell(_IV, UNUSED), *(Cell(_CL, RESETS),) * 9),
    (_REPLY, SegmentKind.NONE): (Cell(_IV, IMPOSSIBLE),) * 10,
}

# The combinations of flags that stacks send; PSH, ECE and CWR do not matter.
VALID_FLAGS = {
    SYN: SegmentKind.SYN,
    SYN | URG: SegmentKind.SYN,
    SYN | ACK: SegmentKind.SYNACK,
    RST: SegmentKind.RST,
    RST | ACK: SegmentKind.RST,
    FIN | ACK: SegmentKind.FIN,
    FIN | ACK | URG: SegmentKind.FIN,
    ACK: SegmentKind.ACK,
    ACK | URG: SegmentKind.ACK,
}
KIND_FLAGS = FIN | SYN | RST | ACK | URG
KINDS = 6


def compile_rows() -> list[int]:
    """`TABLE` as words: row direction * KINDS + kind, 4 bits of next state for each state."""
    return [
        sum(cell.state << (4 * state) for state, cell in enumerate(TABLE[direction, kind]))
        for direction in (Direction.ORIGINAL, Direction.REPLY)
        for kind in tuple(SegmentKind)[:KINDS]
    ]


def compile_kinds() -> list[int]:
    """The kind of every combination of the lower six flags, 4 bits each, 16 to a word."""
    words = [0, 0, 0, 0]
    for flags in range(64):
        kind = VALID_FLAGS.get(flags & KIND_FLAGS, SegmentKind.MALFORMED)
        words[flags >> 4] |= kind << (4 * (flags & 15))
    return words
