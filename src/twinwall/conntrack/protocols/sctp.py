"""The SCTP machine: its states, its chunks, its table with a reason in every cell.

RFC 9260 from the middle of the path, with Linux's states and transitions.  `TABLE` is the specification; `compile_rows` packs
it into one word for each pair of direction and chunk, 4 bits for each state.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from twinwall.path.reason import Direction


class SctpState(IntEnum):
    """An association's state, spelled and numbered as Linux does."""

    NONE = 0
    CLOSED = 1  # an INIT was seen, or the association is over
    COOKIE_WAIT = 2
    COOKIE_ECHOED = 3
    ESTABLISHED = 4
    SHUTDOWN_SENT = 5  # the client sent SHUTDOWN
    SHUTDOWN_RECD = 6  # the server sent SHUTDOWN
    SHUTDOWN_ACK_SENT = 7
    HEARTBEAT_SENT = 8  # a second path of an association whose start was not seen
    INVALID = 15  # no state: the chunk does not belong here


STATES = 9


class Chunk(IntEnum):
    """The chunk types that move the state, in the order of the table's rows; the value is the type on the wire."""

    INIT = 1
    INIT_ACK = 2
    ABORT = 6
    SHUTDOWN = 7
    SHUTDOWN_ACK = 8
    ERROR = 9
    COOKIE_ECHO = 10
    COOKIE_ACK = 11
    SHUTDOWN_COMPLETE = 14
    HEARTBEAT = 4
    HEARTBEAT_ACK = 5


DATA = 0
HIGHEST_TYPE = 14  # types above move nothing
ROWS = 16  # rows of one direction, by type on the wire


class Cell(NamedTuple):
    """Where a chunk leads, and why."""

    state: SctpState
    reason: str


KEEPS = "the chunk changes nothing in this state"
OPENS = "an INIT begins, or begins again, an association"
ENDS = "an ABORT ends the association"
FORGETS = "the chunk cannot start an association: the entry is as good as closed"
ANSWERS = "the server answers the INIT"
ECHOES = "the client returns the cookie"
COMPLETES = "the server accepts the cookie"
CROSSED = "the INITs crossed, and it is the other side's handshake that completes"
REFUSES = "the server refuses the cookie"
CLIENT_CLOSES = "the client has no more to send"
SERVER_CLOSES = "the server has no more to send"
CONFIRMS = "the other side agrees to close"
CLOSED = "both sides have closed"
PROBES = "a heartbeat tries a second path of an association"
PROVES = "the heartbeat was answered: the path works"
NO_REPLY_FIRST = "a reply cannot come before the first packet"
ONLY_HEARTBEAT = "on a path under test only a heartbeat's answer may come back"

_NO, _CL, _CW, _CE, _ES, _SS, _SR, _SA, _HS, _IV = SctpState
_O, _R = Direction.ORIGINAL, Direction.REPLY


def _row(kept: tuple[tuple[SctpState, SctpState, str], ...], first: Cell, probing: Cell) -> tuple[Cell, ...]:
    """A row that keeps every state but NONE (`first`), HEARTBEAT_SENT (`probing`) and the changes listed (from, to, why)."""
    changes = {old: Cell(new, why) for old, new, why in kept}
    middle = tuple(changes.get(state, Cell(state, KEEPS)) for state in (_CL, _CW, _CE, _ES, _SS, _SR, _SA))
    return (first, *middle, probing)


_FORGOTTEN = Cell(_CL, FORGETS)
_NOT_FIRST = Cell(_IV, NO_REPLY_FIRST)
_NOT_NOW = Cell(_IV, ONLY_HEARTBEAT)
_ABORTED = tuple((state, _CL, ENDS) for state in (_CW, _CE, _ES, _SS, _SR, _SA))
_AGREED = ((_SS, _SA, CONFIRMS), (_SR, _SA, CONFIRMS))

TABLE: dict[tuple[Direction, Chunk], tuple[Cell, ...]] = {
    (_O, Chunk.INIT): _row(((_SS, _CL, OPENS), (_SR, _CL, OPENS)), Cell(_CL, OPENS), Cell(_CW, OPENS)),
    (_O, Chunk.INIT_ACK): _row((), _FORGOTTEN, _FORGOTTEN),
    (_O, Chunk.ABORT): _row(_ABORTED, _FORGOTTEN, Cell(_CL, ENDS)),
    (_O, Chunk.SHUTDOWN): _row(((_ES, _SS, CLIENT_CLOSES),), _FORGOTTEN, _FORGOTTEN),
    (_O, Chunk.SHUTDOWN_ACK): _row(_AGREED, Cell(_SA, CONFIRMS), Cell(_SA, CONFIRMS)),
    (_O, Chunk.ERROR): _row((), _FORGOTTEN, _FORGOTTEN),
    (_O, Chunk.COOKIE_ECHO): _row(((_CW, _CE, ECHOES),), _FORGOTTEN, _FORGOTTEN),
    (_O, Chunk.COOKIE_ACK): _row(((_CE, _ES, CROSSED),), _FORGOTTEN, _FORGOTTEN),
    (_O, Chunk.SHUTDOWN_COMPLETE): _row(((_SA, _CL, CLOSED),), _FORGOTTEN, _FORGOTTEN),
    (_O, Chunk.HEARTBEAT): _row((), Cell(_HS, PROBES), Cell(_HS, PROBES)),
    (_O, Chunk.HEARTBEAT_ACK): _row((), _FORGOTTEN, Cell(_HS, KEEPS)),
    (_R, Chunk.INIT): _row((), _NOT_FIRST, _NOT_NOW),
    (_R, Chunk.INIT_ACK): _row(((_CL, _CW, ANSWERS),), _NOT_FIRST, _NOT_NOW),
    (_R, Chunk.ABORT): _row(_ABORTED, _NOT_FIRST, _NOT_NOW),
    (_R, Chunk.SHUTDOWN): _row(((_ES, _SR, SERVER_CLOSES),), _NOT_FIRST, _NOT_NOW),
    (_R, Chunk.SHUTDOWN_ACK): _row(_AGREED, _NOT_FIRST, _NOT_NOW),
    (_R, Chunk.ERROR): _row(((_CE, _CL, REFUSES),), _NOT_FIRST, _NOT_NOW),
    (_R, Chunk.COOKIE_ECHO): _row(((_CW, _CE, CROSSED),), _NOT_FIRST, _NOT_NOW),
    (_R, Chunk.COOKIE_ACK): _row(((_CE, _ES, COMPLETES),), _NOT_FIRST, _NOT_NOW),
    (_R, Chunk.SHUTDOWN_COMPLETE): _row(((_SA, _CL, CLOSED),), _NOT_FIRST, _NOT_NOW),
    (_R, Chunk.HEARTBEAT): _row((), _NOT_FIRST, Cell(_HS, PROBES)),
    (_R, Chunk.HEARTBEAT_ACK): _row((), _NOT_FIRST, Cell(_ES, PROVES)),
}


def compile_rows() -> list[int]:
    """`TABLE` as words: row direction * ROWS + type on the wire; types that move nothing keep every state."""
    still = sum(state << (4 * state) for state in range(STATES))
    words = [still] * (2 * ROWS)
    for (direction, chunk), cells in TABLE.items():
        words[direction * ROWS + chunk] = sum(cell.state << (4 * state) for state, cell in enumerate(cells))
    return words
