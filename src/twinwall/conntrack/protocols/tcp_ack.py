"""The short way for what nearly every segment is: an acknowledgement, with data or without, in the middle of a connection.

It decides nothing of its own.  Where every question that `tcp_step` and `window` ask has its usual answer, it does what they
would do, each word read and written once; where one has not, it touches nothing and says so, and they take the segment.
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
)
from twinwall.conntrack.header import H_MAX_RETRANS, H_TCP_TIMEOUT, H_TCP_UNACKNOWLEDGED
from twinwall.conntrack.protocols.sequence import MASK32, after, before
from twinwall.conntrack.protocols.tcp import SegmentKind, TcpState
from twinwall.conntrack.protocols.tcp_flags import FLAG_MAXACK_SET, FLAG_SACK_PERM, FLAG_UNACKNOWLEDGED
from twinwall.conntrack.protocols.tcp_options import ALIGNED_TIMESTAMP
from twinwall.conntrack.protocols.window import OLD_ACK
from twinwall.path.layout import ACK, FIN, RST, SYN, TCP, W_HEADER, W_KEY, W_PLACE, W_SEQ
from twinwall.path.primitives import Address, get, note, put, table_at
from twinwall.path.trace import TraceEvent
from twinwall.path.wire import be32

_ACK, _ESTABLISHED = SegmentKind.ACK.value, TcpState.ESTABLISHED.value
KEY_OF = 0x00FF00FF << 32  # in E_KEY: protocol and state
KEY_ESTABLISHED = (TCP << 32) | (_ESTABLISHED << 48)
STEP = _ACK | (_ESTABLISHED << 8) | (_ESTABLISHED << 16)  # what the recorder is told: an ACK leaves ESTABLISHED as it is
SIDE_BYTES = 24  # from one side's words in an entry to the other's
NO_OPTIONS, TIMESTAMP_ONLY = 20, 32  # bytes of TCP header


def carries_no_sack(packet: Address, end: Address, place: int) -> int:
    """1 if it is plain that the segment has no SACK option: there are no options, or the timestamp as all stacks put it."""
    transport = (place >> 16) & 0xFFFF
    size = ((place >> 32) & 0xFFFF) - transport
    if size == NO_OPTIONS:
        return 1
    options = packet + (transport + NO_OPTIONS)
    if size != TIMESTAMP_ONLY or options + 4 > end:
        return 0
    return 1 if be32(options, 0) == ALIGNED_TIMESTAMP else 0


def step_ack(table: Address, entry: Address, packet: Address, end: Address, record: Address, now: int, direction: int) -> int:
    """1 if this was the usual segment of an entry that is ASSURED and saw its reply, and was taken; 0: ask `step_tcp`.

    Usual: ESTABLISHED; ACK without SYN, FIN and RST; both sides' windows known; in the window on all four sides; no SACK; no
    window of zero; not the segment before once more.  That makes one function of many lines, of which each is one question.
    """
    if ((get(record, W_KEY) >> 48) & (FIN | SYN | RST | ACK)) != ACK or (get(entry, E_KEY) & KEY_OF) != KEY_ESTABLISHED:
        return 0
    place = get(record, W_PLACE)
    numbers = get(record, W_SEQ)
    seq = numbers & MASK32
    ack = numbers >> 32
    edge = (seq + (place >> 48)) & MASK32
    announced = get(record, W_HEADER) & 0xFFFF
    sender = entry + direction * SIDE_BYTES
    other = entry + (SIDE_BYTES - direction * SIDE_BYTES)

    mine = get(sender, E_O_END)
    my_windows = get(sender, E_O_WINDOW)
    my_more = get(sender, E_O_MORE)
    theirs = get(other, E_O_END)
    their_more = get(other, E_O_MORE)
    my_end = mine & MASK32
    my_maxend = mine >> 32
    my_maxwin = my_windows & MASK32
    maxack = my_windows >> 32
    their_end = theirs & MASK32
    their_maxend = theirs >> 32
    their_maxwin = get(other, E_O_WINDOW) & MASK32
    if my_maxwin == 0 or their_maxwin == 0 or announced == 0 or (my_more & (FLAG_MAXACK_SET << 8)) == 0:
        return 0
    if (their_more & (FLAG_SACK_PERM << 8)) != 0 and carries_no_sack(packet, end, place) == 0:
        return 0
    reach = my_maxwin if my_maxwin > OLD_ACK else OLD_ACK
    recent = after(edge, my_end - their_maxwin - 1) & after(ack, their_end - reach - 1)
    allowed = before(seq, my_maxend + 1) & before(edge, my_maxend + 1) & before(ack, their_end + 1)
    if (recent & allowed) == 0 or table_at(table, H_MAX_RETRANS) == 0:
        return 0
    if get(entry, E_LAST_SEQ) == numbers and (get(entry, E_LAST_END) & MASK32) == edge:
        return 0

    note(record, TraceEvent.TCP_STEP, STEP | (direction << 24))
    window = (announced << (my_more & 0xFF)) & MASK32
    if my_maxwin < window:
        my_maxwin = window
    if after(edge, my_end) != 0:
        my_end = edge
        my_more = my_more | (FLAG_UNACKNOWLEDGED << 8)
    if after(ack, maxack) != 0:
        maxack = ack
    permitted = (ack + window) & MASK32
    if after(permitted, their_maxend - 1) != 0:
        their_maxend = permitted
    if ack == their_end:
        their_more = their_more & ((FLAG_UNACKNOWLEDGED << 8) ^ MASK32)
    put(sender, E_O_END, my_end | (my_maxend << 32))
    put(sender, E_O_WINDOW, my_maxwin | (maxack << 32))
    put(sender, E_O_MORE, my_more)
    put(other, E_O_END, their_end | (their_maxend << 32))
    put(other, E_O_MORE, their_more)
    put(entry, E_LAST_SEQ, numbers)
    put(entry, E_LAST_END, edge)
    last = get(entry, E_LAST_WIN) & (0xFFFF << 48)
    put(entry, E_LAST_WIN, last | announced | (direction << 32) | (_ACK << 40))
    timeout = table_at(table, H_TCP_TIMEOUT + _ESTABLISHED)
    if ((my_more | their_more) & (FLAG_UNACKNOWLEDGED << 8)) != 0 and timeout > table_at(table, H_TCP_UNACKNOWLEDGED):
        timeout = table_at(table, H_TCP_UNACKNOWLEDGED)
    put(entry, E_DEADLINE, now + timeout)
    return 1
