"""The sequence-window model: whether a segment fits what both ends have sent and announced.

For each side we keep `end` (highest sequence sent), `maxend` (highest it may send), `maxwin` (largest window it announced),
its window scale and highest ACK.  After G. van Rooij: Real stateful TCP packet filtering in IP Filter (2001), in the form in
which Linux runs it.  All comparisons are modulo 2**32.
"""

from __future__ import annotations

from twinwall.conntrack.entry import E_LAST_END, E_LAST_SEQ, E_LAST_WIN, E_O_END
from twinwall.conntrack.header import H_LIBERAL
from twinwall.conntrack.protocols.sequence import MASK32, after, before
from twinwall.conntrack.protocols.tcp import SegmentKind, TcpState
from twinwall.conntrack.protocols.tcp_flags import (
    FLAG_LIBERAL,
    FLAG_MAXACK_SET,
    FLAG_SACK_PERM,
    FLAG_UNACKNOWLEDGED,
    FLAG_WINDOW_SCALE,
)
from twinwall.conntrack.protocols.tcp_options import highest_sack, syn_options
from twinwall.path.layout import ACK, RST, SYN, W_HEADER, W_KEY, W_PLACE, W_SEQ
from twinwall.path.primitives import Address, get, put, table_at

ACCEPT, IGNORE, INVALID = 0, 1, 2
OLD_ACK = 66000  # how far behind an acknowledgement may lag even where the window is smaller

_SYN = SegmentKind.SYN.value
_ACK = SegmentKind.ACK.value
_SYN_SENT = TcpState.SYN_SENT.value
_SYN_RECV = TcpState.SYN_RECV.value


def segment_end(record: Address) -> int:
    """The sequence number behind the segment: data, and one each for SYN and FIN."""
    flags = (get(record, W_KEY) >> 48) & 0xFF
    length = (get(record, W_PLACE) >> 48) & 0xFFFF
    return ((get(record, W_SEQ) & MASK32) + length + ((flags >> 1) & 1) + (flags & 1)) & MASK32


def option_bytes(record: Address) -> int:
    """How many bytes of options the TCP header has."""
    place = get(record, W_PLACE)
    return (((place >> 32) & 0xFFFF) - ((place >> 16) & 0xFFFF) - 20) & 0xFF


def read_syn_options(packet: Address, end: Address, record: Address) -> int:
    """`tcp_options.syn_options` of the segment, or 0 where it has none."""
    size = option_bytes(record)
    if size == 0:
        return 0
    start = packet + (((get(record, W_PLACE) >> 16) & 0xFFFF) + 20)
    stop = start + size
    if stop > end:
        return 0
    return syn_options(start, stop)


def read_sack(packet: Address, end: Address, record: Address, ack: int) -> int:
    """`tcp_options.highest_sack` of the segment."""
    size = option_bytes(record)
    if size == 0:
        return ack
    start = packet + (((get(record, W_PLACE) >> 16) & 0xFFFF) + 20)
    stop = start + size
    if stop > end:
        return ack
    return highest_sack(start, stop, ack)


def open_side(entry: Address, packet: Address, end: Address, record: Address, direction: int) -> int:
    """Begin a side with its SYN (RFC 7323: scaling counts only if both sides offered it).

    A SYN without options, after one that had some, leaves what those said (Linux).
    """
    side = E_O_END + 3 * direction
    other = E_O_END + 3 - 3 * direction
    edge = segment_end(record)
    window = get(record, W_HEADER) & 0xFFFF
    scale = get(entry, side + 2) & 0xFF
    flags = (get(entry, side + 2) >> 8) & 0xFF
    if option_bytes(record) != 0:
        options = read_syn_options(packet, end, record)
        scale = options & 0xFF
        flags = (flags & FLAG_LIBERAL) | (options >> 8)
    if direction == 1:
        theirs = get(entry, other + 2)
        if (flags & (theirs >> 8) & FLAG_WINDOW_SCALE) == 0:
            scale = 0
            put(entry, other + 2, theirs & 0xFF00)
    put(entry, side, edge | (edge << 32))
    put(entry, side + 1, (get(entry, side + 1) & (MASK32 << 32)) | (window if window != 0 else 1))
    put(entry, side + 2, scale | (flags << 8))
    return 0


def join_side(entry: Address, record: Address, direction: int, sack: int) -> int:
    """Begin a side in the middle: what came before is unknown, so the segment itself says where it stands."""
    side = E_O_END + 3 * direction
    other = E_O_END + 3 - 3 * direction
    edge = segment_end(record)
    window = ((get(record, W_HEADER) & 0xFFFF) << (get(entry, side + 2) & 0xFF)) & MASK32
    if window == 0:
        window = 1
    put(entry, side, edge | (((edge + window) & MASK32) << 32))
    put(entry, side + 1, (get(entry, side + 1) & (MASK32 << 32)) | window)
    theirs = get(entry, other)
    if (get(entry, other + 1) & MASK32) == 0:
        put(entry, other, sack | (sack << 32))
    else:
        if sack == ((theirs + 1) & MASK32):  # the answer to a keepalive
            put(entry, other, (theirs & (MASK32 << 32)) | sack)
    return 0


def remember_ack(entry: Address, record: Address, direction: int, ack: int, edge: int) -> int:
    """Count how often the same bare acknowledgement repeats: the sign of a peer that does not answer."""
    key = get(record, W_SEQ) & MASK32
    place = key | (ack << 32)
    window = get(record, W_HEADER) & 0xFFFF
    last = get(entry, E_LAST_WIN)
    ends = get(entry, E_LAST_END)
    same = 1 if (last & MASK32) == window and ((last >> 32) & 0xFF) == direction else 0
    if same != 0 and get(entry, E_LAST_SEQ) == place and (ends & MASK32) == edge:
        retrans = ((ends >> 32) + 1) & 0xFF
        put(entry, E_LAST_END, edge | (retrans << 32))
        return 0
    put(entry, E_LAST_SEQ, place)
    put(entry, E_LAST_END, edge)
    put(entry, E_LAST_WIN, (last & (0xFFFFFF << 40)) | window | (direction << 32))
    return 0


def in_window(
    table: Address, entry: Address, packet: Address, end: Address, record: Address, direction: int, kind: int, state: int
) -> int:
    """ACCEPT, IGNORE (old data or an old ACK: it passes and changes nothing) or INVALID.

    An accepted segment brings both sides up to date.
    """
    side = E_O_END + 3 * direction
    other = E_O_END + 3 - 3 * direction
    flags = (get(record, W_KEY) >> 48) & 0xFF
    numbers = get(record, W_SEQ)
    seq = numbers & MASK32
    ack = numbers >> 32
    edge = segment_end(record)
    window = get(record, W_HEADER) & 0xFFFF
    sack = ack
    if ((get(entry, other + 2) >> 8) & FLAG_SACK_PERM) != 0:
        sack = read_sack(packet, end, record, ack)
    maxwin = get(entry, side + 1) & MASK32
    if maxwin == 0:
        if (flags & SYN) != 0:
            open_side(entry, packet, end, record, direction)
            if (flags & ACK) == 0:
                return ACCEPT
        else:
            join_side(entry, record, direction, sack)
    else:
        if (flags & SYN) != 0:
            ahead = after(edge, get(entry, side) & MASK32)
            if ahead != 0 and (state == _SYN_SENT or state == _SYN_RECV):
                open_side(entry, packet, end, record, direction)
                if direction == 1 and (flags & ACK) == 0:
                    return ACCEPT

    mine = get(entry, side)
    my_windows = get(entry, side + 1)
    my_more = get(entry, side + 2)
    theirs = get(entry, other)
    their_windows = get(entry, other + 1)
    their_more = get(entry, other + 2)
    my_end = mine & MASK32
    my_maxend = mine >> 32
    my_maxwin = my_windows & MASK32
    their_end = theirs & MASK32
    their_maxwin = their_windows & MASK32

    if (flags & ACK) == 0 or (ack == 0 and (flags & RST) != 0):
        ack = their_end
        sack = their_end
    if seq == 0 and (flags & RST) != 0 and state == _SYN_SENT:
        seq = my_end
        edge = my_end

    liberal = ((my_more >> 8) & FLAG_LIBERAL) | table_at(table, H_LIBERAL)
    reach = my_maxwin if my_maxwin > OLD_ACK else OLD_ACK
    recent_ack = after(sack, their_end - reach - 1)
    recent_data = after(edge, my_end - their_maxwin - 1)
    acks_seen = before(sack, their_end + 1)
    if before(seq, my_maxend + 1) == 0:
        overshoot = (edge - my_maxend + 1) & MASK32
        if their_maxwin != 0 and (recent_data & recent_ack & acks_seen) != 0 and overshoot <= their_maxwin:
            put(entry, side, (mine & (MASK32 << 32)) | edge)
            put(entry, side + 2, my_more | (FLAG_UNACKNOWLEDGED << 8))
            return IGNORE if liberal == 0 else ACCEPT
        return INVALID if liberal == 0 else ACCEPT
    if acks_seen == 0:
        return INVALID if liberal == 0 else ACCEPT
    if (their_maxwin != 0 and recent_data == 0) or recent_ack == 0:
        return IGNORE if liberal == 0 else ACCEPT

    if (flags & SYN) == 0:
        window = (window << (my_more & 0xFF)) & MASK32
    announced = (window + sack - ack) & MASK32
    if my_maxwin < announced:
        my_maxwin = announced
    if after(edge, my_end) != 0:
        my_end = edge
        my_more = my_more | (FLAG_UNACKNOWLEDGED << 8)
    maxack = my_windows >> 32
    if (flags & ACK) != 0:
        if (my_more & (FLAG_MAXACK_SET << 8)) == 0 or after(ack, maxack) != 0:
            maxack = ack
            my_more = my_more | (FLAG_MAXACK_SET << 8)
    if their_maxwin != 0 and after(edge, my_maxend) != 0:
        their_maxwin = (their_maxwin + edge - my_maxend) & MASK32
    their_maxend = theirs >> 32
    allowed = (sack + window) & MASK32
    if after(allowed, their_maxend - 1) != 0:
        their_maxend = allowed if window != 0 else (allowed + 1) & MASK32
    if ack == their_end:
        their_more = their_more & ((FLAG_UNACKNOWLEDGED << 8) ^ MASK32)
    put(entry, side, my_end | (my_maxend << 32))
    put(entry, side + 1, my_maxwin | (maxack << 32))
    put(entry, side + 2, my_more)
    put(entry, other, their_end | (their_maxend << 32))
    put(entry, other + 1, (their_windows & (MASK32 << 32)) | their_maxwin)
    put(entry, other + 2, their_more)
    if kind == _ACK:
        remember_ack(entry, record, direction, ack, edge)
    return ACCEPT
