"""Decoding: from the bytes of a frame to its record.  Runs interpreted, native and as eBPF.

The way down is link header, IP header (with IPv6's chain of extension headers), transport header.  Each step returns one
packed word and leaves the fields it has read in the record.  Nothing is ever raised: a packet that breaks the rules of its
protocol ends in a `Reason`, and so does one that the capture's snap length cut where a verdict needs the bytes.

Sources: IEEE 802.1Q, RFC 791, 8200, 9293, 768, 3828, 792, 4443, 9260, 2784 and 2890; LINKTYPE_LINUX_SLL and SLL2.
"""

from __future__ import annotations

from twinwall.path.layout import (
    AH,
    FRAG_DONT,
    FRAG_MORE,
    FRAG_OFFSET,
    LINK_ETHERNET,
    LINK_LOOP,
    LINK_NULL,
    LINK_RAW,
    LINK_SLL,
    LINK_SLL2,
    MARK_FRAGMENT,
    MARK_IP,
    MARK_LATER_FRAGMENT,
    MARK_SNAPPED,
    RECORD_WORDS,
    W_DST_HI,
    W_DST_LO,
    W_FRAME,
    W_HEADER,
    W_KEY,
    W_LENGTH,
    W_LINK,
    W_PLACE,
    W_SRC_HI,
    W_SRC_LO,
    W_STATUS,
)
from twinwall.path.primitives import Address, get, load_u8, note, opaque, put
from twinwall.path.reason import Reason
from twinwall.path.trace import TraceEvent
from twinwall.path.transport import transport
from twinwall.path.wire import be16, be32, be64

ETHERTYPE_IPV4, ETHERTYPE_IPV6 = 0x0800, 0x86DD
VLAN_TAGS = 4  # how many stacked tags are followed
EXTENSIONS = 8  # how many IPv6 extension headers are followed
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60  # and AH; whatever else follows is the protocol, as in Linux
FARTHEST = 0x7FFF  # no header further from the start of the frame than this is looked at

# What a step returns.  Link: ethertype:16 offset:16 vlans:8 failed:8 vlan:16.  Network: reason:8 proto:8 offset:16 length:24.
LINK_FAILED = 1 << 40


def decode(packet: Address, end: Address, link: int, wire_length: int, record: Address) -> int:
    """Decode the frame in [packet, end) into `record`; 0, or the `Reason` why it has no verdict of its own."""
    for word in range(RECORD_WORDS):
        put(record, word, 0)
    captured = end - packet
    put(record, W_FRAME, wire_length | captured << 32)
    start = link_header(packet, end, link)
    status = (start >> 32 & 0xFF) << 32 | link << 40 | (start >> 48) << 48
    reason = 0
    if start & LINK_FAILED:
        reason = Reason.TRUNCATED_LINK
        if start & 0xFFFF:
            reason = Reason.UNSUPPORTED_LINK
    else:
        ethertype = start & 0xFFFF
        put(record, W_LINK, ethertype)
        if ethertype == ETHERTYPE_IPV4 or ethertype == ETHERTYPE_IPV6:
            reason = network(packet, end, ethertype, start >> 16 & 0xFF, wire_length, record)
            status = status | get(record, W_STATUS) | MARK_IP << 8
        elif is_vlan(ethertype):
            reason = Reason.TOO_MANY_TAGS
        else:
            reason = Reason.NOT_IP
    if wire_length > captured:
        status = status | MARK_SNAPPED << 8
        if (
            reason == Reason.TRUNCATED_LINK
            or reason == Reason.TRUNCATED_IP
            or reason == Reason.TRUNCATED_EXTENSION
            or reason == Reason.TRUNCATED_TRANSPORT
        ):
            reason = Reason.SNAPPED
    put(record, W_STATUS, status | reason)
    note(record, TraceEvent.DECODED, reason)
    return reason


def link_header(packet: Address, end: Address, link: int) -> int:
    """Find where the frame's IP header starts and which ethertype says so."""
    if link == LINK_ETHERNET:
        if packet + 14 > end:
            return LINK_FAILED
        ethertype = be16(packet, 12)
        if ethertype == ETHERTYPE_IPV4 or ethertype == ETHERTYPE_IPV6:
            return ethertype | 14 << 16
        return vlan_tags(packet, end, ethertype, 14)
    if link == LINK_RAW:
        if packet + 1 > end:
            return LINK_FAILED
        if load_u8(packet, 0) >> 4 == 6:
            return ETHERTYPE_IPV6
        return ETHERTYPE_IPV4
    if link == LINK_SLL:
        if packet + 16 > end:
            return LINK_FAILED
        return vlan_tags(packet, end, be16(packet, 14), 16)
    if link == LINK_SLL2:
        if packet + 20 > end:
            return LINK_FAILED
        return vlan_tags(packet, end, be16(packet, 0), 20)
    if link == LINK_NULL or link == LINK_LOOP:
        if packet + 4 > end:
            return LINK_FAILED
        # The family stands in the byte order of whoever captured; all families are below 256.
        family = load_u8(packet, 0) | load_u8(packet, 3)
        if family == 2:
            return ETHERTYPE_IPV4 | 4 << 16
        if family == 10 or family == 24 or family == 28 or family == 30:  # AF_INET6 of Linux, NetBSD, FreeBSD, Darwin
            return ETHERTYPE_IPV6 | 4 << 16
        return 4 << 16
    return LINK_FAILED | 1


def is_vlan(ethertype: int) -> int:
    """1 for the ethertypes of VLAN tags: 802.1Q, 802.1ad, and what came before the latter."""
    return 1 if ethertype == 0x8100 or ethertype == 0x88A8 or ethertype == 0x9100 else 0


def vlan_tags(packet: Address, end: Address, ethertype: int, offset: int) -> int:
    """Step over stacked 802.1Q and 802.1ad tags; the outermost tag's identifier is kept."""
    count = 0
    outer = 0
    cursor = packet + offset
    for _ in range(VLAN_TAGS):
        if is_vlan(ethertype):
            if cursor + 4 > end:
                return LINK_FAILED
            if count == 0:
                outer = be16(cursor, 0) & 0xFFF
            ethertype = be16(cursor, 2)
            cursor = cursor + 4
            count = count + 1
    return ethertype | (offset + (count << 2)) << 16 | count << 32 | outer << 48


def network(packet: Address, end: Address, ethertype: int, at: int, wire_length: int, record: Address) -> int:
    """Decode the IP header at offset `at` and what follows it.  Leaves `marks` in the record's status word."""
    if ethertype == ETHERTYPE_IPV4:
        found = ipv4(packet, end, at, wire_length, record)
    else:
        found = ipv6(packet, end, at, wire_length, record)
    found = opaque(record, found)
    reason = found & 0xFF
    if reason != 0:
        return reason
    protocol = found >> 8 & 0xFF
    offset = found >> 16 & 0xFFFF
    length = found >> 32
    put(record, W_KEY, get(record, W_KEY) | protocol << 32)
    put(record, W_PLACE, at | offset << 16 | offset << 32 | length << 48)
    fragment = get(record, W_HEADER) >> 48
    if fragment & FRAG_OFFSET:
        put(record, W_STATUS, (MARK_FRAGMENT | MARK_LATER_FRAGMENT) << 8)
        if ((fragment & FRAG_OFFSET) << 3) + length > 65535:
            return Reason.BAD_FRAGMENT
        return 0
    if fragment & FRAG_MORE:
        put(record, W_STATUS, MARK_FRAGMENT << 8)
    reason = transport(packet, end, offset, protocol, length, record)
    if fragment & FRAG_MORE and (ethertype == ETHERTYPE_IPV4 or reason != Reason.TRUNCATED_TRANSPORT):
        return 0  # what the first piece lacks may come with the next; not in IPv6 (RFC 8200 section 4.5)
    return reason


def ipv4(packet: Address, end: Address, at: int, wire_length: int, record: Address) -> int:
    """The IPv4 header: addresses, lengths, fragment fields."""
    cursor = packet + at
    if cursor + 20 > end:
        return Reason.TRUNCATED_IP
    first = load_u8(cursor, 0)
    if first >> 4 != 4:
        return Reason.BAD_IP_VERSION
    header = (first & 15) << 2
    total = be16(cursor, 2)
    if header < 20:
        return Reason.BAD_IP_HEADER_LENGTH
    if total < header or at + total > wire_length:
        return Reason.BAD_IP_TOTAL_LENGTH
    if cursor + header > end:
        return Reason.TRUNCATED_IP
    put(record, W_SRC_LO, be32(cursor, 12))
    put(record, W_DST_LO, be32(cursor, 16))
    put(record, W_KEY, 4 << 40)
    put(record, W_HEADER, load_u8(cursor, 8) << 16 | load_u8(cursor, 1) << 24 | be16(cursor, 6) << 48)
    put(record, W_LENGTH, be16(cursor, 4) | total << 32)
    return load_u8(cursor, 9) << 8 | (at + header) << 16 | (total - header) << 32


def ipv6(packet: Address, end: Address, at: int, wire_length: int, record: Address) -> int:
    """The IPv6 header and its extension headers, up to the transport header or a later fragment's data."""
    cursor = packet + at
    if cursor + 40 > end:
        return Reason.TRUNCATED_IP
    first = be16(cursor, 0)
    if first >> 12 != 6:
        return Reason.BAD_IP_VERSION
    total = be16(cursor, 4) + 40
    if at + total > wire_length:
        return Reason.BAD_IP_TOTAL_LENGTH
    put(record, W_SRC_HI, be64(cursor, 8))
    put(record, W_SRC_LO, be64(cursor, 16))
    put(record, W_DST_HI, be64(cursor, 24))
    put(record, W_DST_LO, be64(cursor, 32))
    put(record, W_KEY, 6 << 40)
    put(record, W_LENGTH, total << 32)
    put(record, W_HEADER, load_u8(cursor, 7) << 16 | (first >> 4 & 0xFF) << 24)
    return extensions(packet, end, at + 40, load_u8(cursor, 6), at + total, record)


def extensions(packet: Address, end: Address, at: int, protocol: int, stop: int, record: Address) -> int:
    """Follow the chain of extension headers from offset `at`; the packet claims to end at offset `stop`."""
    seen = 0
    fragment = 0
    for _ in range(EXTENSIONS):
        at = opaque(record, at) & FARTHEST
        cursor = packet + at
        kind = 0
        if protocol == HOP_BY_HOP or protocol == ROUTING or protocol == DESTINATION:
            kind = 1
        elif protocol == FRAGMENT:
            kind = 2
        elif protocol == AH:
            kind = 4
        if kind != 0 and fragment & FRAG_OFFSET == 0:
            if at + 8 > stop or cursor + 8 > end:
                return Reason.TRUNCATED_EXTENSION
            seen = seen | kind
            protocol = load_u8(cursor, 0)
            size = 8
            if kind == 1:
                size = (load_u8(cursor, 1) + 1) << 3
            elif kind == 4:
                size = (load_u8(cursor, 1) + 2) << 2
            else:
                field = be16(cursor, 2)
                fragment = field >> 3 | (field & 1) << 13
                put(record, W_LENGTH, get(record, W_LENGTH) | be32(cursor, 4))
            at = at + size
            if at > FARTHEST:
                return Reason.TOO_MANY_EXTENSIONS
    if fragment & FRAG_OFFSET == 0:
        if protocol == HOP_BY_HOP or protocol == ROUTING or protocol == DESTINATION or protocol == FRAGMENT or protocol == AH:
            return Reason.TOO_MANY_EXTENSIONS
    if at > stop:
        return Reason.TRUNCATED_EXTENSION
    put(record, W_HEADER, get(record, W_HEADER) | (fragment | FRAG_DONT) << 48)
    put(record, W_LINK, get(record, W_LINK) | seen << 16)
    return protocol << 8 | at << 16 | (stop - at) << 32
