"""One TCP segment of a known entry: the table's step, the side rules around it, the timer.

The side rules exist because the tracker sees segments that an endpoint may never get, and misses some that it did.  Where
the table says IGNORE, or a connection is reset, the two ends may be in step while we are not; what passed is remembered
(`E_LAST_*`) so that the answer to it puts us right.
"""

from __future__ import annotations

from twinwall.conntrack.entry import (
    E_DEADLINE,
    E_KEY,
    E_LAST_END,
    E_LAST_SEQ,
    E_LAST_WIN,
    E_O_END,
    E_O_MORE,
    E_O_WINDOW,
    E_R_MORE,
    E_STATUS,
    END_RESET,
    ENTRY_END_REASON,
    ENTRY_STATE,
    ST_ASSURED,
    ST_SEEN_REPLY,
)
from twinwall.conntrack.header import (
    H_IGNORE_INVALID_RST,
    H_MAX_RETRANS,
    H_TCP_KINDS,
    H_TCP_RETRANS,
    H_TCP_ROWS,
    H_TCP_TIMEOUT,
    H_TCP_UNACKNOWLEDGED,
)
from twinwall.conntrack.protocols.outcome import PASSED, REFUSED, REOPENED
from twinwall.conntrack.protocols.sequence import MASK32, before
from twinwall.conntrack.protocols.tcp import KINDS, SegmentKind, TcpState
from twinwall.conntrack.protocols.tcp_flags import (
    FLAG_CHALLENGE_ACK,
    FLAG_CLOSE_INIT,
    FLAG_LIBERAL,
    FLAG_MAXACK_SET,
    FLAG_SACK_PERM,
    FLAG_SIMULTANEOUS,
    FLAG_UNACKNOWLEDGED,
    FLAG_WINDOW_SCALE,
)
from twinwall.conntrack.protocols.window import IGNORE as OLD_SEGMENT
from twinwall.conntrack.protocols.window import INVALID as NO_FIT
from twinwall.conntrack.protocols.window import in_window, open_side, read_syn_options, segment_end
from twinwall.path.layout import W_HEADER, W_KEY, W_SEQ
from twinwall.path.primitives import Address, get, note, put, store_u8, table_at
from twinwall.path.trace import TraceEvent

_SYN, _SYNACK, _FIN, _ACK, _RST = (kind.value for kind in tuple(SegmentKind)[:5])
_NONE, _SYN_SENT, _SYN_RECV, _ESTABLISHED = (state.value for state in tuple(TcpState)[:4])
_FIN_WAIT, _LAST_ACK, _TIME_WAIT, _CLOSE = (
    TcpState.FIN_WAIT.value,
    TcpState.LAST_ACK.value,
    TcpState.TIME_WAIT.value,
    TcpState.CLOSE.value,
)
_SYN_SENT2, _IGNORE, _INVALID = TcpState.SYN_SENT2.value, TcpState.IGNORE.value, TcpState.INVALID.value
NO_KIND = 5
SECOND = 1_000_000_000
SHRINK_ABOVE = 120 * SECOND  # an entry with less time left is not shortened by an out-of-window FIN or RST


def segment_kind(table: Address, record: Address) -> int:
    """The `SegmentKind` of the decoded segment; 15 for flags that no stack sends."""
    flags = (get(record, W_KEY) >> 48) & 0x3F
    return (table_at(table, H_TCP_KINDS + (flags >> 4)) >> (4 * (flags & 15))) & 15


def next_state(table: Address, direction: int, kind: int, state: int) -> int:
    """The table's cell."""
    return (table_at(table, H_TCP_ROWS + direction * KINDS + kind) >> (4 * state)) & 15


def begin_tcp(entry: Address, packet: Address, end: Address, record: Address, kind: int) -> int:
    """Give a new entry what its first segment tells: a SYN, or any ACK of a connection whose start was not seen."""
    put(entry, E_LAST_WIN, NO_KIND << 40)
    if kind == _SYN:
        open_side(entry, packet, end, record, 0)
        return 0
    edge = segment_end(record)
    window = get(record, W_HEADER) & 0xFFFF
    if window == 0:
        window = 1
    put(entry, E_O_END, edge | (((edge + window) & MASK32) << 32))
    put(entry, E_O_WINDOW, window)
    put(entry, E_O_MORE, (FLAG_SACK_PERM | FLAG_LIBERAL) << 8)
    put(entry, E_R_MORE, (FLAG_SACK_PERM | FLAG_LIBERAL) << 8)
    return 0


def resynchronise(entry: Address, direction: int) -> int:
    """The SYN-ACK answers a SYN that we let pass: take over the remembered values, forget the answering side's."""
    side = E_O_END + 3 * direction
    other = E_O_END + 3 - 3 * direction
    last = get(entry, E_LAST_WIN)
    edge = get(entry, E_LAST_END) & MASK32
    window = last & MASK32
    flags = (last >> 56) & (FLAG_CHALLENGE_ACK ^ 0xFF)
    put(entry, other, edge | (edge << 32))
    put(entry, other + 1, (get(entry, other + 1) & (MASK32 << 32)) | (window if window != 0 else 1))
    put(entry, other + 2, ((last >> 48) & 0xFF) | (flags << 8))
    put(entry, E_LAST_WIN, (last & (MASK32 | (0xFFFFFF << 32))) | (flags << 56))
    put(entry, side, 0)
    put(entry, side + 1, 0)
    put(entry, side + 2, get(entry, side + 2) & (FLAG_LIBERAL << 8))
    return 0


def remember_ignored(
    entry: Address, packet: Address, end: Address, record: Address, direction: int, kind: int, state: int
) -> int:
    """Keep what an ignored segment said: the other end's answer will show who is right."""
    last = get(entry, E_LAST_WIN)
    scale = (last >> 48) & 0xFF
    flags = last >> 56
    numbers = get(record, W_SEQ)
    ack = get(entry, E_LAST_SEQ) >> 32
    if kind == _SYN and direction == 0:
        options = read_syn_options(packet, end, record)
        flags = (options >> 8) & (FLAG_WINDOW_SCALE | FLAG_SACK_PERM)
        scale = options & 0xFF
        if state == _LAST_ACK:
            flags = flags | FLAG_CHALLENGE_ACK
    if state == _SYN_SENT and kind == _ACK and direction == 1:
        ack = numbers >> 32
    put(entry, E_LAST_SEQ, (numbers & MASK32) | (ack << 32))
    put(entry, E_LAST_END, (get(entry, E_LAST_END) & (MASK32 << 32)) | segment_end(record))
    put(entry, E_LAST_WIN, (get(record, W_HEADER) & 0xFFFF) | (direction << 32) | (kind << 40) | (scale << 48) | (flags << 56))
    return 0


RST_CHECK, RST_KEEP, RST_ACCEPT, RST_REFUSE = 0, 1, 2, 3


def judge_reset(table: Address, entry: Address, record: Address, direction: int, state: int) -> int:
    """What a RST may do: be checked against the window, be checked but leave the state, be believed, or be refused.

    RFC 5961 section 3.2: an endpoint resets only on the exact sequence number and answers others with a challenge ACK, so an
    inexact RST must not end our entry while the endpoints go on.
    """
    if state >= _FIN_WAIT and state <= _CLOSE:
        return RST_ACCEPT  # the ports may be in use again: what we know of the numbers is stale
    last = get(entry, E_LAST_WIN)
    last_kind = (last >> 40) & 0xFF
    last_direction = (last >> 32) & 0xFF
    last_end = get(entry, E_LAST_END) & MASK32
    status = get(entry, E_STATUS)
    numbers = get(record, W_SEQ)
    seq = numbers & MASK32
    ack = numbers >> 32
    other = E_O_END + 3 - 3 * direction
    judged = RST_CHECK
    if (get(entry, other + 2) & (FLAG_MAXACK_SET << 8)) != 0 and last_kind != _SYN:
        maxack = get(entry, other + 1) >> 32
        established = 1 if state == _ESTABLISHED and (status & ST_ASSURED) != 0 else 0
        if seq == 0 and established == 0:
            return RST_CHECK
        if before(seq, maxack) != 0 and table_at(table, H_IGNORE_INVALID_RST) == 0:
            return RST_REFUSE
        if established == 0 or seq == maxack:
            return RST_CHECK
        if last_kind == _ACK and last_direction == direction and seq == last_end:
            return RST_CHECK
        judged = RST_KEEP
    answers_syn = 1 if (status & ST_SEEN_REPLY) != 0 and last_kind == _SYN and last_direction != direction else 0
    answers_ack = 1 if (status & ST_ASSURED) == 0 and last_kind == _ACK else 0
    if (answers_syn | answers_ack) != 0 and ack == last_end:
        return RST_ACCEPT | (judged << 8)
    if state == _SYN_SENT and last_kind == _ACK and last_direction == 1 and seq == (get(entry, E_LAST_SEQ) >> 32):
        return RST_ACCEPT | (judged << 8)
    return judged


def shorten_on_mismatch(table: Address, entry: Address, now: int, direction: int, kind: int) -> int:
    """Out-of-window FIN or RST from both sides: the connection is probably over, so it is not kept for days."""
    if (get(entry, E_STATUS) & ST_ASSURED) == 0 or (kind != _RST and kind != _FIN):
        return 0
    last = get(entry, E_LAST_WIN)
    last_kind = (last >> 40) & 0xFF
    if ((last >> 32) & 0xFF) != direction and (last_kind == _FIN or last_kind == _RST):
        deadline = get(entry, E_DEADLINE)
        short = now + table_at(table, H_TCP_UNACKNOWLEDGED)
        if deadline >= now + SHRINK_ABOVE and deadline > short:
            put(entry, E_DEADLINE, short)
        return 0
    put(entry, E_LAST_WIN, (last & (MASK32 | (0xFFFF << 48))) | (direction << 32) | (kind << 40))
    return 0


def pick_timeout(table: Address, entry: Address, kind: int, state: int) -> int:
    """How long the entry lives after an accepted segment that led to `state`."""
    usual = table_at(table, H_TCP_TIMEOUT + state)
    retrans = (get(entry, E_LAST_END) >> 32) & 0xFF
    if retrans >= table_at(table, H_MAX_RETRANS) and usual > table_at(table, H_TCP_RETRANS):
        return table_at(table, H_TCP_RETRANS)
    if kind == _RST:
        return table_at(table, H_TCP_TIMEOUT + _CLOSE)
    if ((get(entry, E_O_MORE) | get(entry, E_R_MORE)) & (FLAG_UNACKNOWLEDGED << 8)) != 0:
        if usual > table_at(table, H_TCP_UNACKNOWLEDGED):
            return table_at(table, H_TCP_UNACKNOWLEDGED)
    if (get(entry, E_LAST_WIN) & MASK32) == 0 and usual > table_at(table, H_TCP_RETRANS):
        return table_at(table, H_TCP_RETRANS)
    return usual


def settle_segment(table: Address, entry: Address, now: int, direction: int, kind: int, old: int, state: int) -> int:
    """An accepted segment: the new state, what was seen last, ASSURED, the deadline."""
    last = get(entry, E_LAST_WIN)
    put(entry, E_LAST_WIN, (last & (MASK32 | (0xFFFF << 48))) | (direction << 32) | (kind << 40))
    if old != state:
        store_u8(entry, ENTRY_STATE, state)
        if state == _FIN_WAIT:
            more = E_O_MORE + 3 * direction
            put(entry, more, get(entry, more) | (FLAG_CLOSE_INIT << 8))
    timeout = pick_timeout(table, entry, kind, state)
    status = get(entry, E_STATUS)
    if (status & ST_SEEN_REPLY) == 0:
        if kind == _RST:
            put(entry, E_DEADLINE, 0)  # refused, or given up before it began: for the next packet the entry is gone
            store_u8(entry, ENTRY_END_REASON, END_RESET)
            return PASSED
        if kind == _SYN and old == _SYN_SENT:
            return PASSED  # a repeated SYN alone must not keep an entry alive
        if state == _ESTABLISHED and timeout > table_at(table, H_TCP_UNACKNOWLEDGED):
            timeout = table_at(table, H_TCP_UNACKNOWLEDGED)
    else:
        if (status & ST_ASSURED) == 0 and state == _ESTABLISHED and (old == _SYN_RECV or old == _ESTABLISHED):
            put(entry, E_STATUS, status | ST_ASSURED)
    put(entry, E_DEADLINE, now + timeout)
    return PASSED


def step_tcp(table: Address, entry: Address, packet: Address, end: Address, record: Address, now: int, direction: int) -> int:
    """Take one segment of the entry's connection: PASSED, REFUSED, or REOPENED (drop the entry and track it afresh)."""
    kind = segment_kind(table, record)
    if kind > NO_KIND:
        return REFUSED
    old = (get(entry, E_KEY) >> 48) & 0xFF
    state = next_state(table, direction, kind, old)
    note(record, TraceEvent.TCP_STEP, kind | (old << 8) | (state << 16) | (direction << 24))
    if state == _SYN_SENT and old >= _TIME_WAIT:
        flags = (get(entry, E_O_MORE) | get(entry, E_R_MORE)) >> 8
        last = get(entry, E_LAST_WIN)
        aborted = 1 if ((last >> 32) & 0xFF) == direction and ((last >> 40) & 0xFF) == _RST else 0
        if (flags & FLAG_CLOSE_INIT) != 0 or aborted != 0:
            return REOPENED
        state = _IGNORE
    if state == _INVALID:
        return REFUSED
    if state == _IGNORE:
        last = get(entry, E_LAST_WIN)
        answers = 1 if kind == _SYNACK and ((last >> 40) & 0xFF) == _SYN and ((last >> 32) & 0xFF) != direction else 0
        if answers != 0 and (get(record, W_SEQ) >> 32) == (get(entry, E_LAST_END) & MASK32):
            resynchronise(entry, direction)
            old = _SYN_SENT
            state = _SYN_RECV
        else:
            remember_ignored(entry, packet, end, record, direction, kind, old)
            return PASSED
    if state == _TIME_WAIT and old == _LAST_ACK and kind == _ACK:
        last = get(entry, E_LAST_WIN)
        challenged = 1 if ((last >> 56) & FLAG_CHALLENGE_ACK) != 0 and ((last >> 40) & 0xFF) == _SYN else 0
        if challenged != 0 and ((last >> 32) & 0xFF) != direction:
            put(entry, E_LAST_WIN, last ^ (FLAG_CHALLENGE_ACK << 56))
            return PASSED
    if state == _SYN_SENT2:
        put(entry, E_LAST_WIN, get(entry, E_LAST_WIN) | (FLAG_SIMULTANEOUS << 56))
    if state == _SYN_RECV and direction == 1 and kind == _ACK:
        if ((get(entry, E_LAST_WIN) >> 56) & FLAG_SIMULTANEOUS) != 0:
            state = _ESTABLISHED
    if kind == _RST and state == _CLOSE:
        judged = judge_reset(table, entry, record, direction, old)
        if judged == RST_REFUSE:
            note(record, TraceEvent.TCP_RESET_REFUSED, get(record, W_SEQ) & MASK32)
            return REFUSED
        if judged == RST_KEEP or (judged >> 8) == RST_KEEP:
            state = old
        if (judged & 0xFF) == RST_ACCEPT:
            return settle_segment(table, entry, now, direction, kind, old, state)
    fit = in_window(table, entry, packet, end, record, direction, kind, old)
    if fit == OLD_SEGMENT:
        return PASSED
    if fit == NO_FIT:
        note(record, TraceEvent.TCP_OUT_OF_WINDOW, get(record, W_SEQ))
        shorten_on_mismatch(table, entry, now, direction, kind)
        return REFUSED
    return settle_segment(table, entry, now, direction, kind, old, state)
