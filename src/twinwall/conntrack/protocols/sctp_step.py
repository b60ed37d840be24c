"""One SCTP packet of a known entry: its chunks in order, the verification tags, the timer.

RFC 9260 sections 8.4 and 8.5.1 (tags) and 5.2.4 (crossing INITs).  An entry keeps, in the words that TCP uses for its windows,
each side's tag: the tag that packets *sent by* that side carry.
"""

from __future__ import annotations

from twinwall.conntrack.entry import E_DEADLINE, E_KEY, E_O_END, E_O_WINDOW, E_R_END, E_STATUS, ENTRY_STATE, ST_ASSURED
from twinwall.conntrack.header import H_SCTP_ROWS, H_SCTP_TIMEOUT
from twinwall.conntrack.protocols.outcome import PASSED, REFUSED
from twinwall.conntrack.protocols.sctp import DATA, HIGHEST_TYPE, ROWS, Chunk, SctpState
from twinwall.path.layout import W_PLACE, W_SCTP
from twinwall.path.primitives import Address, get, load_u8, put, store_u8, table_at
from twinwall.path.wire import be16, be32

MASK32 = 0xFFFFFFFF
INIT_BYTES = 16  # of an INIT or INIT ACK behind the chunk header
TAG_REFLECTED = 1  # the chunk flag T: the tag is the receiver's own, returned

# E_O_WINDOW: what else an association remembers.
INIT_ORIGINAL, INIT_REPLY = 1, 2  # the side has sent an INIT
HEARTBEAT_FAILED, FAILED_IN_REPLY = 4, 8  # a heartbeat with a wrong tag passed: the association may have restarted

_INIT, _INIT_ACK, _ABORT = Chunk.INIT.value, Chunk.INIT_ACK.value, Chunk.ABORT.value
_SHUTDOWN_ACK, _SHUTDOWN_COMPLETE = Chunk.SHUTDOWN_ACK.value, Chunk.SHUTDOWN_COMPLETE.value
_COOKIE_ECHO, _COOKIE_ACK = Chunk.COOKIE_ECHO.value, Chunk.COOKIE_ACK.value
_HEARTBEAT, _HEARTBEAT_ACK = Chunk.HEARTBEAT.value, Chunk.HEARTBEAT_ACK.value
_NONE, _CLOSED, _ESTABLISHED = SctpState.NONE.value, SctpState.CLOSED.value, SctpState.ESTABLISHED.value
_INVALID = SctpState.INVALID.value

NEVER_FIRST = (1 << _ABORT) | (1 << _SHUTDOWN_COMPLETE) | (1 << _COOKIE_ACK)
OWN_TAG_RULE = (
    (1 << _INIT)
    | (1 << _SHUTDOWN_COMPLETE)
    | (1 << _COOKIE_ECHO)
    | (1 << _ABORT)
    | (1 << _SHUTDOWN_ACK)
    | (1 << _HEARTBEAT)
    | (1 << _HEARTBEAT_ACK)
)
GOOD, BAD, PASS_UNCHANGED = 0, 1, 2  # what a chunk's tag says


def chunks_start(packet: Address, record: Address) -> Address:
    """Where the first chunk lies."""
    return packet + ((get(record, W_PLACE) >> 32) & 0xFFFF)


def chunks_stop(packet: Address, end: Address, record: Address) -> Address:
    """Where the chunks end: with the packet, or with what was captured of it."""
    place = get(record, W_PLACE)
    stop = packet + (((place >> 32) & 0xFFFF) + (place >> 48))
    return end if stop > end else stop


def chunk_size(cursor: Address) -> int:
    """The bytes from this chunk to the next."""
    return (be16(cursor, 2) + 3) & 0x1FFFC


def chunk_map(cursor: Address, stop: Address) -> int:
    """Which types the packet carries, one bit each; 0 if the order of chunks is not allowed or there is none.

    INIT, INIT ACK and SHUTDOWN COMPLETE travel alone, COOKIE ECHO and COOKIE ACK first (RFC 9260 section 3).
    """
    seen = 0
    alone = 0
    first = 1
    while cursor + 4 <= stop:
        kind = load_u8(cursor, 0)
        if kind == _INIT or kind == _INIT_ACK or kind == _SHUTDOWN_COMPLETE:
            alone = 1
        if first == 0 and (alone != 0 or kind == _COOKIE_ACK or kind == _COOKIE_ECHO):
            return 0
        if be16(cursor, 2) == 0:
            return 0
        seen = seen | (1 << (kind if kind < 63 else 63))
        cursor = cursor + chunk_size(cursor)
        first = 0
    return seen


def next_state(table: Address, direction: int, kind: int, state: int) -> int:
    """The table's cell."""
    if kind > HIGHEST_TYPE:
        return state
    return (table_at(table, H_SCTP_ROWS + direction * ROWS + kind) >> (4 * state)) & 15


def begin_sctp(table: Address, entry: Address, packet: Address, end: Address, record: Address) -> int:
    """Give a new entry the tags that its first packet tells; REFUSED if no association begins so."""
    cursor = chunks_start(packet, record)
    stop = chunks_stop(packet, end, record)
    seen = chunk_map(cursor, stop)
    if seen == 0 or (seen & NEVER_FIRST) != 0:
        return REFUSED
    tag = get(record, W_SCTP) & MASK32
    while cursor + 4 <= stop:
        kind = load_u8(cursor, 0)
        state = next_state(table, 0, kind, _NONE)
        if state == _NONE or state == _INVALID:
            return REFUSED
        if kind == _INIT:
            if tag != 0 or cursor + 4 + INIT_BYTES > stop:
                return REFUSED
            put(entry, E_R_END, be32(cursor, 4))
        elif kind == _SHUTDOWN_ACK:
            put(entry, E_R_END, tag)  # out of the blue: the answer carries the tag back (section 8.4)
        elif kind == _HEARTBEAT:
            put(entry, E_O_END, tag)
        cursor = cursor + chunk_size(cursor)
    return PASSED


def check_tag(entry: Address, direction: int, kind: int, flags: int, tag: int, lenient: int) -> int:
    """GOOD, BAD or PASS_UNCHANGED: is the packet's tag right for this chunk?  `lenient` is 0 if it may not be spared."""
    side = E_O_END + 3 * direction
    other = E_O_END + 3 - 3 * direction
    own = get(entry, side)
    if kind == _INIT:
        return GOOD if tag == 0 else BAD
    if kind == _ABORT or kind == _SHUTDOWN_COMPLETE:
        right = get(entry, other) if (flags & TAG_REFLECTED) != 0 else own
        return GOOD if tag == right else BAD
    if kind == _COOKIE_ECHO:
        return GOOD if tag == own else BAD
    memory = get(entry, E_O_WINDOW)
    if kind == _COOKIE_ACK:
        put(entry, E_O_WINDOW, memory & ((INIT_ORIGINAL | INIT_REPLY) ^ MASK32))
        return GOOD
    if kind != _HEARTBEAT and kind != _HEARTBEAT_ACK:
        return GOOD
    if own == 0:
        put(entry, side, tag)
        return GOOD
    if tag == own:
        put(entry, E_O_WINDOW, memory & (HEARTBEAT_FAILED ^ MASK32))
        return GOOD
    if lenient == 0:
        return BAD
    failed_direction = 1 if (memory & FAILED_IN_REPLY) != 0 else 0
    if kind == _HEARTBEAT:
        memory = (memory | HEARTBEAT_FAILED) & (FAILED_IN_REPLY ^ MASK32)
        put(entry, E_O_WINDOW, memory | (FAILED_IN_REPLY if direction != 0 else 0))
        return PASS_UNCHANGED
    if (memory & HEARTBEAT_FAILED) == 0 or failed_direction == direction:
        return BAD
    put(entry, E_O_WINDOW, memory & (HEARTBEAT_FAILED ^ MASK32))
    put(entry, side, tag)
    put(entry, other, 0)
    return GOOD


def learn_tag(entry: Address, cursor: Address, stop: Address, direction: int, kind: int, old: int) -> int:
    """Take the tag that an INIT or INIT ACK announces; REFUSED where it contradicts what is known (crossing INITs)."""
    if cursor + 4 + INIT_BYTES > stop:
        return REFUSED
    announced = be32(cursor, 4)
    other = E_O_END + 3 - 3 * direction
    known = get(entry, other)
    memory = get(entry, E_O_WINDOW)
    mine = INIT_REPLY if direction != 0 else INIT_ORIGINAL
    theirs = (INIT_ORIGINAL | INIT_REPLY) ^ mine
    if kind == _INIT:
        if old == _NONE or known != announced:  # a repeated or stale INIT says nothing new
            if (memory & mine) != 0:
                memory = memory & (theirs ^ MASK32)
            put(entry, E_O_WINDOW, memory | mine)
    else:
        if known != announced:
            if (memory & theirs) == 0 and known != 0:
                return REFUSED
            if (memory & theirs) != 0 and (memory & mine) != 0:
                return REFUSED
    put(entry, other, announced)
    return PASSED


def step_sctp(
    table: Address, entry: Address, packet: Address, end: Address, record: Address, now: int, direction: int, known: int
) -> int:
    """Take one packet of the entry's association: PASSED or REFUSED; `known` is 0 for its first packet."""
    cursor = chunks_start(packet, record)
    stop = chunks_stop(packet, end, record)
    seen = chunk_map(cursor, stop)
    if seen == 0:
        return REFUSED
    tag = get(record, W_SCTP) & MASK32
    if (seen & OWN_TAG_RULE) == 0 and tag != get(entry, E_O_END + 3 * direction):
        return REFUSED
    refresh = 1
    spared = 0
    state = (get(entry, E_KEY) >> 48) & 0xFF
    while cursor + 4 <= stop:
        kind = load_u8(cursor, 0)
        lenient = 1 if (seen & (1 << DATA)) == 0 and spared == 0 else 0
        verdict = check_tag(entry, direction, kind, load_u8(cursor, 1), tag, lenient)
        if verdict == BAD:
            return REFUSED
        if verdict == PASS_UNCHANGED:
            refresh = 0
            spared = 1
        else:
            old = state
            state = next_state(table, direction, kind, old)
            if state == _INVALID:
                return REFUSED
            if kind == _INIT or kind == _INIT_ACK:
                if learn_tag(entry, cursor, stop, direction, kind, old) == REFUSED:
                    return REFUSED
                if kind == _INIT and known != 0 and old == _CLOSED and state == _CLOSED:
                    refresh = 0  # a repeated INIT alone must not keep an entry alive
                    spared = 1
            store_u8(entry, ENTRY_STATE, state)
            if old != state and state == _ESTABLISHED:
                put(entry, E_STATUS, get(entry, E_STATUS) | ST_ASSURED)
        cursor = cursor + chunk_size(cursor)
    if refresh != 0:
        put(entry, E_DEADLINE, now + table_at(table, H_SCTP_TIMEOUT + state))
    return PASSED
