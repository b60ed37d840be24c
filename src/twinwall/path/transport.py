"""The transport headers: TCP, UDP, UDP-Lite, ICMP, ICMPv6, SCTP, GRE; the rest of IP has none that a rule can ask for.

`length` is what the IP header claims for the transport header and its payload; a header that does not fit into it is
malformed, one that does not fit into the captured bytes is cut.
"""

from __future__ import annotations

from twinwall.path.layout import (
    GRE,
    ICMP,
    ICMP6,
    INNER_6IN4,
    INNER_GRE,
    INNER_IPIP,
    INNER_QUOTE,
    IP6IN4,
    IPIP,
    MARK_PORTS,
    MARK_QUOTE,
    MARK_TRANSPORT,
    SCTP,
    TCP,
    UDP,
    UDPLITE,
    W_HEADER,
    W_ICMP,
    W_KEY,
    W_PLACE,
    W_SACK,
    W_SCTP,
    W_SEQ,
    W_STATUS,
)
from twinwall.path.primitives import Address, get, load_u8, put
from twinwall.path.reason import Reason
from twinwall.path.wire import be16, be32

FARTHEST = 0x7FFF


def transport(packet: Address, end: Address, at: int, protocol: int, length: int, record: Address) -> int:
    """Decode the transport header at offset `at` into `record`; 0 or a `Reason`."""
    if protocol == TCP:
        return tcp(packet, end, at, length, record)
    if protocol == UDP or protocol == UDPLITE:
        return udp(packet, end, at, length, protocol, record)
    if protocol == ICMP or protocol == ICMP6:
        return icmp(packet, end, at, length, protocol, record)
    if protocol == SCTP:
        return sctp(packet, end, at, length, record)
    if protocol == GRE:
        return gre(packet, end, at, length, record)
    if protocol == IPIP or protocol == IP6IN4:
        kind = INNER_IPIP
        if protocol == IP6IN4:
            kind = INNER_6IN4
        put(record, W_SACK, at << 32 | kind << 48)
    put(record, W_STATUS, get(record, W_STATUS) | MARK_TRANSPORT << 8)
    return 0


def place_payload(record: Address, at: int, length: int) -> int:
    """Note where the payload starts and how many bytes of it the packet claims."""
    put(record, W_PLACE, get(record, W_PLACE) & 0xFFFFFFFF | (at & 0xFFFF) << 32 | (length & 0xFFFF) << 48)
    return 0


def mark(record: Address, marks: int) -> int:
    """Set bits of the record's `marks`."""
    put(record, W_STATUS, get(record, W_STATUS) | marks << 8)
    return 0


def tcp(packet: Address, end: Address, at: int, length: int, record: Address) -> int:
    """RFC 9293 section 3.1; the options are read where they are needed, by the tracker."""
    cursor = packet + (at & FARTHEST)
    if length < 20 or cursor + 20 > end:
        return Reason.TRUNCATED_TRANSPORT
    offsets = load_u8(cursor, 12)
    header = offsets >> 4 << 2
    if header < 20 or header > length:
        return Reason.BAD_TCP_HEADER_LENGTH
    flags = load_u8(cursor, 13)
    ports = be16(cursor, 0) | be16(cursor, 2) << 16
    put(record, W_KEY, get(record, W_KEY) | ports | flags << 48 | (offsets & 15) << 56)
    put(record, W_SEQ, be32(cursor, 4) | be32(cursor, 8) << 32)
    put(record, W_HEADER, get(record, W_HEADER) | be16(cursor, 14))
    place_payload(record, at + header, length - header)
    mark(record, MARK_PORTS | MARK_TRANSPORT)
    return 0


def udp(packet: Address, end: Address, at: int, length: int, protocol: int, record: Address) -> int:
    """RFC 768; for UDP-Lite (RFC 3828) the length field is the checksum's coverage."""
    cursor = packet + (at & FARTHEST)
    if length < 8 or cursor + 8 > end:
        return Reason.TRUNCATED_TRANSPORT
    claimed = be16(cursor, 4)
    if protocol == UDPLITE and claimed == 0:
        claimed = length
    if claimed < 8:
        return Reason.BAD_UDP_LENGTH
    reason = 0
    if claimed > length:
        reason = Reason.BAD_UDP_LENGTH  # which is forgiven a first piece: it claims the datagram's length, and has the ports
    if protocol == UDPLITE or reason != 0:
        claimed = length
    put(record, W_KEY, get(record, W_KEY) | be16(cursor, 0) | be16(cursor, 2) << 16)
    place_payload(record, at + 8, claimed - 8)
    mark(record, MARK_PORTS | MARK_TRANSPORT)
    return reason


def icmp(packet: Address, end: Address, at: int, length: int, protocol: int, record: Address) -> int:
    """RFC 792 and 4443: type, code, identifier and sequence number; an error's quoted packet starts 8 bytes in."""
    cursor = packet + (at & FARTHEST)
    if length < 8 or cursor + 8 > end:
        return Reason.TRUNCATED_TRANSPORT
    kind = load_u8(cursor, 0)
    put(record, W_HEADER, get(record, W_HEADER) | kind << 32 | load_u8(cursor, 1) << 40)
    put(record, W_ICMP, be16(cursor, 4) | be16(cursor, 6) << 16)
    place_payload(record, at + 8, length - 8)
    marks = MARK_TRANSPORT
    if protocol == ICMP:
        if kind == 3 or kind == 4 or kind == 5 or kind == 11 or kind == 12:
            marks = marks | MARK_QUOTE
    elif kind < 128 and kind != 0:
        marks = marks | MARK_QUOTE
    if marks & MARK_QUOTE:
        put(record, W_SACK, (at + 8) << 32 | INNER_QUOTE << 48)
    mark(record, marks)
    return 0


def sctp(packet: Address, end: Address, at: int, length: int, record: Address) -> int:
    """RFC 9260 section 3.1: ports and verification tag; the chunks are read by `path.details`."""
    cursor = packet + (at & FARTHEST)
    if length < 12 or cursor + 12 > end:
        return Reason.TRUNCATED_TRANSPORT
    put(record, W_KEY, get(record, W_KEY) | be16(cursor, 0) | be16(cursor, 2) << 16)
    put(record, W_SCTP, be32(cursor, 4))
    place_payload(record, at + 12, length - 12)
    mark(record, MARK_PORTS | MARK_TRANSPORT)
    return 0


def gre(packet: Address, end: Address, at: int, length: int, record: Address) -> int:
    """RFC 2784 and 2890: the key, and where an inner IP packet starts."""
    cursor = packet + (at & FARTHEST)
    if length < 4 or cursor + 4 > end:
        return Reason.TRUNCATED_TRANSPORT
    flags = be16(cursor, 0)
    header = 4 + (flags >> 15 << 2) + ((flags >> 13 & 1) << 2) + ((flags >> 12 & 1) << 2)
    if header > length:
        return Reason.TRUNCATED_TRANSPORT
    if flags >> 13 & 1:
        place = cursor + (flags >> 15 << 2)
        if place + 8 > end:
            return Reason.TRUNCATED_TRANSPORT
        put(record, W_SCTP, be32(place, 4))
    inner = be16(cursor, 2)
    if inner == 0x0800 or inner == 0x86DD:
        put(record, W_SACK, (at + header) << 32 | INNER_GRE << 48)
    place_payload(record, at + header, length - header)
    mark(record, MARK_TRANSPORT)
    return 0
