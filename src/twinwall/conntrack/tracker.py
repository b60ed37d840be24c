"""The tracker: a decoded packet in, its label out, and the packet's entry brought up to date.

The order of things is that of Linux's `nf_conntrack_in`: find the entry of the packet's tuple, read the label off it, let the
protocol's machine take the packet or refuse it, and only then note that a reply was seen.
"""

from __future__ import annotations

from twinwall.conntrack.chains import entry_at, find, make, remove
from twinwall.conntrack.entry import (
    E_DEADLINE,
    E_FLOW_ID,
    E_KEY,
    E_LAST_SEEN,
    E_LAST_WIN,
    E_O_END,
    E_O_PACKETS,
    E_O_START,
    E_SEEN,
    E_START,
    E_STATUS,
    END_REPLACED,
    ENTRY_STATE,
    ST_EXPECTED,
    ST_MIDSTREAM,
    ST_REVERSED,
    ST_SEEN_REPLY,
    ST_UNCONFIRMED,
)
from twinwall.conntrack.generic import step_generic
from twinwall.conntrack.header import (
    H_FLOW_SEED,
    H_FLOWS,
    H_FULL,
    H_INVALID,
    H_LOOSE,
    H_UDP,
    H_UDP_STREAM,
    H_UDPLITE,
    H_UDPLITE_STREAM,
)
from twinwall.conntrack.icmp import asks, icmp_timeout
from twinwall.conntrack.outcome import PASSED, REFUSED, REOPENED
from twinwall.conntrack.tcp import SegmentKind, TcpState
from twinwall.conntrack.tcp_step import NO_KIND, begin_tcp, next_state, segment_kind, step_tcp
from twinwall.conntrack.tuples import forward_key, hash_record, reverse_key
from twinwall.conntrack.udp import begin_udp, step_udp
from twinwall.path.layout import (
    ICMP,
    ICMP6,
    MARK_LATER_FRAGMENT,
    MARK_TRANSPORT,
    TCP,
    UDP,
    UDPLITE,
    W_HEADER,
    W_KEY,
    W_LENGTH,
    W_PLACE,
    W_STATUS,
)
from twinwall.path.primitives import Address, get, put, store_u8
from twinwall.path.reason import CtState, Direction

TRACK_FRESH = 1  # this packet made the entry
TRACK_FULL = 2  # no room, and nothing to evict
TRACK_MIDSTREAM = 4  # TCP without an entry, and neither a SYN nor a RST
TRACK_ESTABLISHED = 8  # the rule language's notion
TRACK_QUOTE = 16  # an ICMP error: the entry is the quoted packet's
TRACK_TO_CLIENT = 32  # sent to the side that sent the flow's first packet: the direction as rules mean it

_NEW, _ESTABLISHED, _RELATED, _INVALID, _UNTRACKED = (
    CtState.NEW.value,
    CtState.ESTABLISHED.value,
    CtState.RELATED.value,
    CtState.INVALID.value,
    CtState.UNTRACKED.value,
)
_NO_DIRECTION = Direction.NONE.value
_SYN, _RST = SegmentKind.SYN.value, SegmentKind.RST.value
_TCP_INVALID, _TCP_SYN_SENT, _TCP_SYN_RECV = TcpState.INVALID.value, TcpState.SYN_SENT.value, TcpState.SYN_RECV.value
_TCP_ESTABLISHED, _TCP_CLOSE = TcpState.ESTABLISHED.value, TcpState.CLOSE.value
FLOW_ID_MASK = 0x1FFFFFFFFFFFFF  # JSON readers keep 53 bits exactly
FLOW_ID_STEP = 0x9E3779B97F4A5 | 1  # odd, so that counting by it meets every number once
NO_TTL_YET = 0x00FF00FF << 16  # lowest 255, highest 0, for both sides


def pack(state: int, direction: int, marks: int, index: int) -> int:
    """The tracker's answer: label 0-7, direction 8-15, TRACK_* 16-31, entry index (from 1, 0 none) 32-63."""
    return state | (direction << 8) | (marks << 16) | (index << 32)


def tuple_hash(table: Address, record: Address) -> int:
    """The hash of a packet's flow, the same in both directions; for `track_hashed`."""
    return hash_record(table, record)


def track(table: Address, packet: Address, end: Address, record: Address, now: int) -> int:
    """Label one packet (see `pack`) and bring its entry up to date; `now` is in nanoseconds since 1970."""
    return track_hashed(table, packet, end, record, now, tuple_hash(table, record))


def track_hashed(table: Address, packet: Address, end: Address, record: Address, now: int, hashed: int) -> int:
    """`track` with the hash already computed."""
    proto = (get(record, W_KEY) >> 32) & 0xFF
    marks = (get(record, W_STATUS) >> 8) & 0xFF
    if (marks & MARK_LATER_FRAGMENT) != 0 or ((marks & MARK_TRANSPORT) == 0 and needs_transport(proto) != 0):
        return refuse(table, 0, 0)
    forward = forward_key(record)
    reverse = reverse_key(forward)
    found = find(table, record, forward, reverse, hashed, now)
    if found == 0:
        return begin(table, packet, end, record, now, hashed, forward)
    return go_on(table, packet, end, record, now, hashed, found)


def needs_transport(proto: int) -> int:
    """1 for protocols whose tuple is read from the transport header."""
    return 1 if proto == TCP or proto == UDP or proto == UDPLITE or proto == ICMP or proto == ICMP6 else 0


def refuse(table: Address, marks: int, index: int) -> int:
    """INVALID."""
    put(table, H_INVALID, get(table, H_INVALID) + 1)
    return pack(_INVALID, _NO_DIRECTION, marks, index)


def may_begin(table: Address, record: Address, proto: int) -> int:
    """1 if this packet may be a flow's first."""
    if proto == TCP:
        kind = segment_kind(table, record)
        if kind > NO_KIND:
            return 0
        state = next_state(table, 0, kind, 0)
        if state == _TCP_INVALID:
            return 0
        return 1 if state == _TCP_SYN_SENT or get(table, H_LOOSE) != 0 else 0
    if proto == ICMP or proto == ICMP6:
        return asks(proto, (get(record, W_HEADER) >> 32) & 0xFF)
    return 1


def midstream_mark(table: Address, record: Address, proto: int) -> int:
    """TRACK_MIDSTREAM for a TCP segment that cannot be a connection's first."""
    if proto != TCP:
        return 0
    kind = segment_kind(table, record)
    return 0 if kind == _SYN or kind == _RST or kind >= NO_KIND else TRACK_MIDSTREAM


def begin(table: Address, packet: Address, end: Address, record: Address, now: int, hashed: int, forward: int) -> int:
    """A packet whose tuple has no entry."""
    proto = (forward >> 32) & 0xFF
    marks = midstream_mark(table, record, proto)
    if may_begin(table, record, proto) == 0:
        return refuse(table, marks, 0)
    index = make(table, hashed, now)
    if index == 0:
        put(table, H_FULL, get(table, H_FULL) + 1)
        return pack(0, _NO_DIRECTION, marks | TRACK_FULL, 0)
    entry = entry_at(table, index)
    for word in range(4):
        put(entry, word, get(record, word))
    put(entry, E_KEY, forward)
    put(entry, E_START, now)
    put(entry, E_LAST_SEEN, now)
    put(entry, E_SEEN, NO_TTL_YET)
    put(entry, E_FLOW_ID, next_flow_id(table))
    if marks != 0:
        put(entry, E_STATUS, ST_MIDSTREAM)
    return start(table, packet, end, record, now, entry, index, 0, marks)


def next_flow_id(table: Address) -> int:
    """A number below 2**53 that no other flow of this table has, never 0."""
    flows = get(table, H_FLOWS) + 1
    flow_id = (get(table, H_FLOW_SEED) + flows * FLOW_ID_STEP) & FLOW_ID_MASK
    if flow_id == 0:
        flows = flows + 1
        flow_id = FLOW_ID_STEP
    put(table, H_FLOWS, flows)
    return flow_id


def start(
    table: Address, packet: Address, end: Address, record: Address, now: int, entry: Address, index: int, side: int, marks: int
) -> int:
    """The first packet that Linux would have an entry for: NEW, from `side` of the flow."""
    proto = (get(entry, E_KEY) >> 32) & 0xFF
    if proto == TCP:
        begin_tcp(entry, packet, end, record, segment_kind(table, record))
    if proto == UDP or proto == UDPLITE:
        begin_udp(entry, now)
    advance(table, entry, packet, end, record, now, 0)
    count(entry, record, now, side)
    return pack(_NEW, 0, marks | TRACK_FRESH | (TRACK_TO_CLIENT if side != 0 else 0), index)


def advance(table: Address, entry: Address, packet: Address, end: Address, record: Address, now: int, direction: int) -> int:
    """Let the protocol's machine take the packet."""
    proto = (get(entry, E_KEY) >> 32) & 0xFF
    if proto == TCP:
        return step_tcp(table, entry, packet, end, record, now, direction)
    if proto == UDP:
        return step_udp(entry, now, get(table, H_UDP), get(table, H_UDP_STREAM))
    if proto == ICMP or proto == ICMP6:
        put(entry, E_DEADLINE, now + icmp_timeout(table, proto))
        return PASSED
    if proto == UDPLITE:
        return step_udp(entry, now, get(table, H_UDPLITE), get(table, H_UDPLITE_STREAM))
    return step_generic(table, entry, now)


def count(entry: Address, record: Address, now: int, side: int) -> int:
    """Add the packet to the flow's record: packets, bytes of IP, first and last seen, TTLs, TCP flags."""
    packets = E_O_PACKETS + 2 * side
    before = get(entry, packets)
    put(entry, packets, before + 1)
    put(entry, packets + 1, get(entry, packets + 1) + (get(record, W_LENGTH) >> 32))
    if before == 0:
        put(entry, E_O_START + side, now)
    put(entry, E_LAST_SEEN, now)
    ttl = (get(record, W_HEADER) >> 16) & 0xFF
    seen = get(entry, E_SEEN)
    low = (seen >> (16 + 16 * side)) & 0xFF
    high = (seen >> (24 + 16 * side)) & 0xFF
    low = ttl if ttl < low else low
    high = ttl if ttl > high else high
    flags = ((get(record, W_KEY) >> 48) & 0xFF) << (8 * side)
    other = (0xFFFF << (16 + 16 * side)) ^ 0xFFFFFFFFFFFFFFFF
    put(entry, E_SEEN, (seen & other) | flags | (low << (16 + 16 * side)) | (high << (24 + 16 * side)))
    return 0


def established_mark(record: Address, entry: Address, proto: int, state: int, direction: int, side: int) -> int:
    """TRACK_ESTABLISHED as the rule language means it, from before this packet (Suricata's flow state)."""
    if proto == TCP:
        if state >= _TCP_ESTABLISHED and state <= _TCP_CLOSE:
            return TRACK_ESTABLISHED
        if state == _TCP_SYN_RECV and direction == 0:
            flags = (get(record, W_KEY) >> 48) & 0x17
            if flags == 0x10 and (get(record, W_PLACE) >> 48) != 0:
                return TRACK_ESTABLISHED  # the handshake's last ACK, with data
        return 0
    other = get(entry, E_O_PACKETS + 2 - 2 * side)
    return TRACK_ESTABLISHED if other != 0 else 0


def go_on(table: Address, packet: Address, end: Address, record: Address, now: int, hashed: int, found: int) -> int:
    """A packet whose tuple has an entry."""
    index = found >> 1
    side = found & 1
    entry = entry_at(table, index)
    last_seen = get(entry, E_LAST_SEEN)
    if now < last_seen:
        now = last_seen  # time ran backwards: for this flow it stands still
    status = get(entry, E_STATUS)
    key = get(entry, E_KEY)
    proto = (key >> 32) & 0xFF
    if (status & ST_UNCONFIRMED) != 0:
        return restart(table, packet, end, record, now, entry, index, side)
    direction = side ^ (1 if (status & ST_REVERSED) != 0 else 0)
    label = _ESTABLISHED
    if direction == 0 and (status & ST_SEEN_REPLY) == 0:
        label = _RELATED if (status & ST_EXPECTED) != 0 else _NEW
    marks = established_mark(record, entry, proto, (key >> 48) & 0xFF, direction, side)
    if side != 0:
        marks = marks | TRACK_TO_CLIENT
    outcome = advance(table, entry, packet, end, record, now, direction)
    if outcome == REOPENED:
        remove(table, index, END_REPLACED)
        return begin(table, packet, end, record, now, hashed, forward_key(record))
    count(entry, record, now, side)
    if outcome == REFUSED:
        return refuse(table, marks, index)
    if direction == 1 and (status & ST_SEEN_REPLY) == 0:
        put(entry, E_STATUS, get(entry, E_STATUS) | ST_SEEN_REPLY)
    return pack(label, direction, marks, index)


def restart(
    table: Address, packet: Address, end: Address, record: Address, now: int, entry: Address, index: int, side: int
) -> int:
    """A packet of a flow of which nothing has passed yet: Linux has no entry, so it is a first packet, from its own side."""
    proto = (get(entry, E_KEY) >> 32) & 0xFF
    midstream = TRACK_MIDSTREAM if (get(entry, E_STATUS) & ST_MIDSTREAM) != 0 else 0
    marks = midstream | (TRACK_TO_CLIENT if side != 0 else 0)
    if may_begin(table, record, proto) == 0:
        count(entry, record, now, side)
        return refuse(table, marks, index)
    for word in range(E_O_END, E_LAST_WIN + 1):
        put(entry, word, 0)
    store_u8(entry, ENTRY_STATE, 0)
    put(entry, E_STATUS, (get(entry, E_STATUS) & ST_MIDSTREAM) | (ST_REVERSED if side != 0 else 0))
    return start(table, packet, end, record, now, entry, index, side, marks)


def settle(table: Address, entry: Address, now: int, dropped: int) -> int:  # noqa: ARG001 - what `track` takes, so does this
    """After the verdict on a packet that was TRACK_FRESH: if it was dropped, Linux would have no entry."""
    status = get(entry, E_STATUS)
    if dropped != 0:
        put(entry, E_STATUS, status | ST_UNCONFIRMED)
    return 0
