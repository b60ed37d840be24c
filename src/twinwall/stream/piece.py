"""One fragment as its packet tells it: which datagram, which bytes of it, and what stands before them.

IPv4 says it in its header (RFC 791).  IPv6 says it in the fragment header (RFC 8200 section 4.5), which the chain of extension
headers leads to; what stands before it, the unfragmentable part, belongs to every piece, and the first piece's is kept.
"""

from __future__ import annotations

from twinwall.path.layout import FRAG_MORE, FRAG_OFFSET, MARK_IP, W_KEY, W_PLACE, W_STATUS
from twinwall.path.primitives import Address, get, load_u8, put
from twinwall.path.reason import Reason
from twinwall.path.wire import be16, be32
from twinwall.stream.layout import (
    HEADER_ROOM,
    MAX_DATAGRAM,
    T_CAPTURED,
    T_ECN,
    T_HEADER,
    T_KEY,
    T_LENGTH,
    T_MORE,
    T_NEXT,
    T_NEXT_AT,
    T_OFFSET,
    T_PLACE,
)

PIECE = 0  # the packet is a fragment; the T_ words describe it
NOT_A_PIECE = 255  # no fragment, or an atomic one (RFC 6946): a datagram of its own
BAD_FRAGMENT = int(Reason.BAD_FRAGMENT)
TRUNCATED_EXTENSION = int(Reason.TRUNCATED_EXTENSION)

IP6_HOP_BY_HOP, IP6_ROUTING, IP6_FRAGMENT, IP6_AH, IP6_OPTIONS = 0, 43, 44, 51, 60
IP6_HEADERS = 16  # extension headers that are followed


def read_piece(table: Address, packet: Address, end: Address, record: Address) -> int:
    """Describe the fragment in the table's T_ words; `PIECE`, `NOT_A_PIECE` or the `Reason` why it cannot be one."""
    if not (get(record, W_STATUS) >> 8) & MARK_IP:
        return NOT_A_PIECE
    l3 = get(record, W_PLACE) & 0xFFFF
    if (get(record, W_KEY) >> 40) & 0xFF == 6:
        answer = read_v6(table, packet, end, l3)
    else:
        answer = read_v4(table, packet, end, l3)
    if answer != PIECE:
        return answer
    if get(table, T_OFFSET) + get(table, T_LENGTH) > MAX_DATAGRAM or get(table, T_HEADER) > HEADER_ROOM:
        return BAD_FRAGMENT
    if get(table, T_MORE) and get(table, T_LENGTH) & 7:
        return BAD_FRAGMENT
    place = get(table, T_PLACE)
    if packet + place > end:
        return TRUNCATED_EXTENSION
    put(table, T_CAPTURED, get(table, T_LENGTH))
    if end - (packet + place) < get(table, T_LENGTH):
        put(table, T_CAPTURED, end - (packet + place))
    return PIECE


def read_v4(table: Address, packet: Address, end: Address, l3: int) -> int:
    """The same for IPv4."""
    header = packet + l3
    if header + 20 > end:
        return BAD_FRAGMENT
    frag = be16(header, 6)
    if not frag & (FRAG_OFFSET | FRAG_MORE):
        return NOT_A_PIECE
    header_length = (load_u8(header, 0) & 15) << 2
    total = be16(header, 2)
    if header_length < 20 or total < header_length:
        return BAD_FRAGMENT
    put(table, T_PLACE, l3 + header_length)
    put(table, T_LENGTH, total - header_length)
    put(table, T_HEADER, header_length)
    put(table, T_NEXT_AT, 0)
    put(table, T_NEXT, 0)
    put(table, T_KEY, be16(header, 4) | (load_u8(header, 9) << 32) | (4 << 40))
    put(table, T_ECN, 1 << (load_u8(header, 1) & 3))
    put(table, T_OFFSET, (frag & FRAG_OFFSET) << 3)
    put(table, T_MORE, 1 if frag & FRAG_MORE else 0)
    return PIECE


def read_v6(table: Address, packet: Address, end: Address, l3: int) -> int:
    """The same for IPv6: follow the chain to the fragment header."""
    header = packet + l3
    if header + 40 > end:
        return TRUNCATED_EXTENSION
    next_at = 6
    at = 40
    for _ in range(IP6_HEADERS):
        following = load_u8(header, next_at)
        if following == IP6_FRAGMENT:
            return read_fragment_header(table, packet, end, l3 | (next_at << 16) | (at << 32))
        if not is_extension(following):
            return NOT_A_PIECE
        if header + at + 8 > end:
            return TRUNCATED_EXTENSION
        next_at = at
        if following == IP6_AH:
            at = at + ((load_u8(header, at + 1) + 2) << 2)
        else:
            at = at + ((load_u8(header, at + 1) + 1) << 3)
    return BAD_FRAGMENT


def is_extension(protocol: int) -> int:
    """1 for an IPv6 extension header that may stand before a fragment header."""
    known = protocol == IP6_HOP_BY_HOP or protocol == IP6_ROUTING or protocol == IP6_OPTIONS or protocol == IP6_AH
    return 1 if known else 0


def read_fragment_header(table: Address, packet: Address, end: Address, places: int) -> int:
    """Describe an IPv6 piece; `places` is l3:16 next_at:16 at:16, the last two from the IP header."""
    l3 = places & 0xFFFF
    at = (places >> 32) & 0xFFFF
    header = packet + l3
    if header + at + 8 > end:
        return TRUNCATED_EXTENSION
    frag = be16(header, at + 2)  # offset:13 reserved:2 more:1, so the offset in bytes stands there as it is
    if not frag & 0xFFF9:
        return NOT_A_PIECE
    whole = be16(header, 4) + 40
    if whole < at + 8:
        return BAD_FRAGMENT
    put(table, T_PLACE, l3 + at + 8)
    put(table, T_LENGTH, whole - (at + 8))
    put(table, T_HEADER, at)
    put(table, T_NEXT_AT, (places >> 16) & 0xFFFF)
    put(table, T_NEXT, load_u8(header, at))
    put(table, T_KEY, be32(header, at + 4) | (6 << 40))
    put(table, T_ECN, 1 << ((load_u8(header, 1) >> 4) & 3))
    put(table, T_OFFSET, frag & 0xFFF8)
    put(table, T_MORE, frag & 1)
    return PIECE
