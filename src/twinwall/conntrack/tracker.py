"""The tracker: a decoded packet in, its label out, and the packet's entry brought up to date.

The order of things is that of Linux's `nf_conntrack_in`: ICMP errors first, then find the entry of the packet's tuple, read the
label off it, let the protocol's machine take the packet or refuse it, and only then note that a reply was seen.
"""

from __future__ import annotations

from twinwall.conntrack.chains import discard, entry_at, find, make, remove
from twinwall.conntrack.entry import (
    E_FLOW_ID,
    E_KEY,
    E_LAST_SEEN,
    E_LAST_WIN,
    E_O_END,
    E_SEEN,
    E_START,
    E_STATUS,
    END_DROPPED,
    END_REPLACED,
    ENTRY_STATE,
    ST_ASSURED,
    ST_ESTABLISHED,
    ST_MIDSTREAM,
    ST_REVERSED,
    ST_SEEN_REPLY,
    ST_UNCONFIRMED,
)
from twinwall.conntrack.header import H_FLOW_SEED, H_FLOWS, H_FULL, H_LINUX_FLOWS
from twinwall.conntrack.label import established_packet, pack, refuse
from twinwall.conntrack.machine import begin_machine, may_begin, needs_transport, step_machine
from twinwall.conntrack.marks import learn, marked_packet
from twinwall.conntrack.protocols.gre import NO_TUPLE, gre_ports
from twinwall.conntrack.protocols.icmp import is_housekeeping, quotes
from twinwall.conntrack.protocols.outcome import REFUSED, REOPENED
from twinwall.conntrack.protocols.tcp import SegmentKind
from twinwall.conntrack.protocols.tcp_ack import step_ack
from twinwall.conntrack.protocols.tcp_step import NO_KIND, segment_kind
from twinwall.conntrack.protocols.udp import udplite_checksum
from twinwall.conntrack.record import NO_TTL_YET, count_packet
from twinwall.conntrack.related import track_error
from twinwall.conntrack.tuples import KEY_MASK, forward_key, hash_record, reverse_key, swap_ports
from twinwall.path.flow_state import TRACK_ESTABLISHED, TRACK_FRESH, TRACK_FULL, TRACK_MIDSTREAM, TRACK_TO_CLIENT
from twinwall.path.layout import (
    GRE,
    ICMP,
    ICMP6,
    MARK_LATER_FRAGMENT,
    MARK_TRANSPORT,
    TCP,
    UDPLITE,
    W_HEADER,
    W_KEY,
    W_PLACE,
    W_STATUS,
)
from twinwall.path.primitives import Address, get, put, store_u8, table_at
from twinwall.path.reason import CtState, Direction

_NONE, _NEW = CtState.NONE.value, CtState.NEW.value
_ESTABLISHED, _UNTRACKED = CtState.ESTABLISHED.value, CtState.UNTRACKED.value
_NO_DIRECTION = Direction.NONE.value
_SYN, _RST = SegmentKind.SYN.value, SegmentKind.RST.value
SETTLED = ST_SEEN_REPLY | ST_ASSURED
NO_NEXT_HEADER = 59  # IPv6: nothing follows; Linux finds no protocol to track
FLOW_ID_MASK = 0x1FFFFFFFFFFFFF  # JSON readers keep 53 bits exactly
FLOW_ID_STEP = 0x9E3779B97F4A5  # odd, so that counting by it meets every number once


def tuple_hash(table: Address, record: Address) -> int:
    """The hash of a packet's flow, the same in both directions; for `track_hashed`."""
    return hash_record(table, record)


def track(table: Address, packet: Address, end: Address, record: Address, now: int) -> int:
    """Label one packet (see `label.pack`) and bring its entry up to date; `now` is in nanoseconds since 1970."""
    return track_hashed(table, packet, end, record, now, tuple_hash(table, record))


def track_hashed(table: Address, packet: Address, end: Address, record: Address, now: int, hashed: int) -> int:
    """`track` with the hash already computed."""
    forward = get(record, W_KEY) & KEY_MASK
    proto = (forward >> 32) & 0xFF
    reverse = swap_ports(forward)
    if proto != TCP:
        special = track_special(table, packet, end, record, now)
        if special != 0:
            return special
        forward = forward_key(record)
        if proto == GRE:
            ports = gre_ports(packet + ((get(record, W_PLACE) >> 16) & 0xFFFF), end)
            if ports == NO_TUPLE:
                return refuse(table, 0, 0)
            forward = forward | ports
        reverse = reverse_key(forward)
    else:
        if ((get(record, W_STATUS) >> 8) & MARK_TRANSPORT) == 0:
            return refuse(table, 0, 0)
    found = find(table, record, forward, reverse, hashed, now)
    if found == 0:
        return begin(table, packet, end, record, now, hashed, forward)
    return go_on(table, packet, end, record, now, hashed, forward, found)


def track_special(table: Address, packet: Address, end: Address, record: Address, now: int) -> int:
    """The answer for what is no plain packet of a flow: pieces of datagrams, ICMP errors, housekeeping of a link; or 0."""
    key = get(record, W_KEY)
    proto = (key >> 32) & 0xFF
    version = (key >> 40) & 0xFF
    marks = (get(record, W_STATUS) >> 8) & 0xFF
    if (marks & MARK_LATER_FRAGMENT) != 0 or ((marks & MARK_TRANSPORT) == 0 and needs_transport(proto) != 0):
        return refuse(table, 0, 0)
    if proto == NO_NEXT_HEADER and version == 6:
        return refuse(table, 0, 0)
    if proto == UDPLITE and udplite_checksum(packet, end, record) == 0:
        return refuse(table, 0, 0)
    if proto == ICMP or proto == ICMP6:
        if (proto == ICMP and version != 4) or (proto == ICMP6 and version != 6):
            return refuse(table, 0, 0)
        kind = (get(record, W_HEADER) >> 32) & 0xFF
        if proto == ICMP6 and is_housekeeping(kind) != 0:
            return pack(_UNTRACKED, _NO_DIRECTION, 0, 0)
        if quotes(proto, kind) != 0:
            return track_error(table, packet, end, record, now)
    return 0


def midstream_mark(table: Address, record: Address, proto: int) -> int:
    """TRACK_MIDSTREAM for a TCP segment that cannot be a connection's first."""
    if proto != TCP:
        return 0
    kind = segment_kind(table, record)
    return 0 if kind == _SYN or kind == _RST or kind >= NO_KIND else TRACK_MIDSTREAM


def begin(table: Address, packet: Address, end: Address, record: Address, now: int, hashed: int, forward: int) -> int:
    """A packet whose tuple has no entry: NEW with an entry of its own, or INVALID without one."""
    proto = (forward >> 32) & 0xFF
    marks = midstream_mark(table, record, proto)
    if may_begin(table, record, proto) == 0:
        return refuse(table, marks, 0)
    index = make(table, hashed, now)
    if index == 0:
        put(table, H_FULL, get(table, H_FULL) + 1)
        return pack(_NONE, _NO_DIRECTION, marks | TRACK_FULL, 0)
    entry = entry_at(table, index)
    for word in range(4):
        put(entry, word, get(record, word))
    put(entry, E_KEY, forward)
    put(entry, E_START, now)
    put(entry, E_SEEN, NO_TTL_YET)
    put(entry, E_STATUS, (ST_MIDSTREAM | ST_ESTABLISHED * table_at(table, H_LINUX_FLOWS)) if marks != 0 else 0)
    if begin_machine(table, entry, packet, end, record, now) == REFUSED:
        discard(table, index)
        return refuse(table, marks, 0)
    put(entry, E_FLOW_ID, next_flow_id(table))
    count_packet(entry, record, now, 0)
    return pack(_NEW, 0, marks | TRACK_FRESH, index)


def next_flow_id(table: Address) -> int:
    """A number below 2**53 that no other flow of this table has, never 0."""
    flows = get(table, H_FLOWS) + 1
    flow_id = (table_at(table, H_FLOW_SEED) + flows * FLOW_ID_STEP) & FLOW_ID_MASK
    if flow_id == 0:
        flows = flows + 1
        flow_id = FLOW_ID_STEP
    put(table, H_FLOWS, flows)
    return flow_id


def go_on(
    table: Address, packet: Address, end: Address, record: Address, now: int, hashed: int, forward: int, found: int
) -> int:
    """A packet whose tuple has an entry."""
    index = found >> 1
    side = found & 1
    entry = entry_at(table, index)
    last_seen = get(entry, E_LAST_SEEN)
    if now < last_seen:
        now = last_seen  # time ran backwards: for this flow it stands still
    status = get(entry, E_STATUS)
    if (status & ST_UNCONFIRMED) != 0:
        return restart(table, packet, end, record, now, index, side)
    direction = side ^ (1 if (status & ST_REVERSED) != 0 else 0)
    towards = TRACK_TO_CLIENT if side != 0 else 0
    if (status & SETTLED) == SETTLED and step_ack(table, entry, packet, end, record, now, direction) != 0:
        count_packet(entry, record, now, side)
        return pack(_ESTABLISHED, direction, TRACK_ESTABLISHED | towards, index)
    label = _ESTABLISHED
    if direction == 0 and (status & ST_SEEN_REPLY) == 0:
        label = _NEW
    linux = table_at(table, H_LINUX_FLOWS)
    known = established_packet(entry, record, direction, side) if linux == 0 else marked_packet(entry, record, direction)
    marks = known | towards
    outcome = step_machine(table, entry, packet, end, record, now, direction)
    if outcome == REOPENED:
        remove(table, index, END_REPLACED)
        return begin(table, packet, end, record, now, hashed, forward)
    if linux == 0 or outcome != REFUSED:
        count_packet(entry, record, now, side)
    if outcome == REFUSED:
        return refuse(table, marks, index)
    if linux != 0:
        learn(entry, record)
    if direction == 1 and (status & ST_SEEN_REPLY) == 0:
        put(entry, E_STATUS, get(entry, E_STATUS) | ST_SEEN_REPLY)
    return pack(label, direction, marks, index)


def restart(table: Address, packet: Address, end: Address, record: Address, now: int, index: int, side: int) -> int:
    """A packet of a flow of which nothing has passed yet: Linux has no entry, so for the label it is a first packet."""
    entry = entry_at(table, index)
    status = get(entry, E_STATUS)
    marks = TRACK_MIDSTREAM if (status & ST_MIDSTREAM) != 0 else 0
    marks = marks | established_packet(entry, record, 0, side) | (TRACK_TO_CLIENT if side != 0 else 0)
    count_packet(entry, record, now, side)
    if may_begin(table, record, (get(entry, E_KEY) >> 32) & 0xFF) == 0:
        return refuse(table, marks, index)
    for word in range(E_LAST_WIN + 1 - E_O_END):
        put(entry, E_O_END + word, 0)
    store_u8(entry, ENTRY_STATE, 0)
    put(entry, E_STATUS, (status & (ST_MIDSTREAM | ST_UNCONFIRMED)) | (ST_REVERSED if side != 0 else 0))
    if begin_machine(table, entry, packet, end, record, now) == REFUSED:
        return refuse(table, marks, index)
    return pack(_NEW, 0, marks | TRACK_FRESH, index)


def settle(table: Address, index: int, dropped: int) -> int:
    """After the verdict on a TRACK_FRESH packet: if it was dropped, Linux has no entry; if not, now it has.

    What rules remember of a flow that Linux does not have is kept, unless the policy's flows are Linux's.
    """
    entry = entry_at(table, index)
    status = get(entry, E_STATUS)
    if dropped != 0:
        if table_at(table, H_LINUX_FLOWS) != 0:
            return remove(table, index, END_DROPPED)
        put(entry, E_STATUS, status | ST_UNCONFIRMED)
    elif (status & ST_UNCONFIRMED) != 0:
        put(entry, E_STATUS, status ^ ST_UNCONFIRMED)
    return 0
