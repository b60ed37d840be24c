"""ICMP errors: RELATED to the flow of the packet they quote, INVALID where there is none.

An error creates and refreshes nothing.  It must be addressed to the sender of the quoted packet; who sent it does not matter,
since any router on the way may.
"""

from __future__ import annotations

from twinwall.conntrack.chains import entry_at, find
from twinwall.conntrack.entry import E_STATUS, ST_REVERSED, ST_UNCONFIRMED
from twinwall.conntrack.header import H_LINUX_FLOWS, H_TUPLE
from twinwall.conntrack.label import established_entry, pack, refuse
from twinwall.conntrack.marks import marked_entry
from twinwall.conntrack.protocols.icmp import REDIRECT6
from twinwall.conntrack.quote import NO_KEY, quoted_tuple
from twinwall.conntrack.tuples import hash_tuple, reverse_key, without_call
from twinwall.path.flow_state import TRACK_QUOTE, TRACK_TO_CLIENT
from twinwall.path.layout import W_DST_HI, W_DST_LO, W_HEADER, W_KEY, W_PLACE, W_SRC_HI, W_SRC_LO
from twinwall.path.primitives import Address, get, load_u8, table_at
from twinwall.path.reason import CtState

_RELATED = CtState.RELATED.value
HOP_LIMIT_ON_LINK = 255
REDIRECT_BYTES = 40  # ICMPv6 header, target, destination (RFC 4861 section 4.5)
OPTION_REDIRECTED = 4
LINK_LOCAL = 0xFE80 >> 6


def quote_offset(record: Address, packet: Address, stop: Address) -> int:
    """How far behind the start of the ICMP header the quoted packet lies; 0: this message quotes none that counts."""
    header = get(record, W_HEADER)
    version = (get(record, W_KEY) >> 40) & 0xFF
    if version == 4 or ((header >> 32) & 0xFF) != REDIRECT6:
        return 8
    start = packet + ((get(record, W_PLACE) >> 16) & 0xFFFF)
    if ((header >> 16) & 0xFF) != HOP_LIMIT_ON_LINK or (get(record, W_SRC_HI) >> 54) != LINK_LOCAL:
        return 0
    if start + (REDIRECT_BYTES + 8) > stop:
        return 0
    if load_u8(start, REDIRECT_BYTES) != OPTION_REDIRECTED or load_u8(start, REDIRECT_BYTES + 1) == 0:
        return 0
    return REDIRECT_BYTES + 8


def track_error(table: Address, packet: Address, end: Address, record: Address, now: int) -> int:
    """Label an ICMP error by the packet it quotes."""
    place = get(record, W_PLACE)
    stop = packet + (((place >> 32) & 0xFFFF) + (place >> 48))
    if stop > end:
        stop = end
    offset = quote_offset(record, packet, stop)
    if offset == 0:
        return refuse(table, TRACK_QUOTE, 0)
    quote = packet + (((place >> 16) & 0xFFFF) + offset)
    forward = quoted_tuple(table, quote, stop, (get(record, W_KEY) >> 40) & 0xFF)
    if forward == NO_KEY:
        return refuse(table, TRACK_QUOTE, 0)
    quoted = table + H_TUPLE * 8
    if get(quoted, W_SRC_HI) != get(record, W_DST_HI) or get(quoted, W_SRC_LO) != get(record, W_DST_LO):
        return refuse(table, TRACK_QUOTE, 0)
    reverse = reverse_key(forward)
    hashed = hash_tuple(table, quoted, without_call(forward), without_call(reverse))
    found = find(table, quoted, forward, reverse, hashed, now)
    if found == 0:
        return refuse(table, TRACK_QUOTE, 0)
    index = found >> 1
    side = (found & 1) ^ 1  # the error travels against the quoted packet
    entry = entry_at(table, index)
    status = get(entry, E_STATUS)
    established = established_entry(entry) if table_at(table, H_LINUX_FLOWS) == 0 else marked_entry(entry)
    marks = TRACK_QUOTE | established | (TRACK_TO_CLIENT if side != 0 else 0)
    if (status & ST_UNCONFIRMED) != 0:
        return refuse(table, marks, index)
    direction = side ^ (1 if (status & ST_REVERSED) != 0 else 0)
    return pack(_RELATED, direction, marks, index)
