"""The packet that an ICMP error quotes: its tuple, read from the error's payload.

RFC 792 has at least 8 bytes of the quoted packet's transport header in the error, RFC 4443 as much as fits.  Only what makes a
tuple is read: 4 bytes of ports, 8 of an ICMP query.  As in Linux the quoted header's own version, length and checksum are not
checked: what counts is whether the tuple is one of a connection we know.
"""

from __future__ import annotations

from twinwall.conntrack.header import H_TUPLE
from twinwall.conntrack.protocols.gre import NO_TUPLE, gre_ports
from twinwall.path.layout import AH, GRE, ICMP, ICMP6, SCTP, TCP, UDP, UDPLITE, W_DST_HI, W_DST_LO, W_SRC_HI, W_SRC_LO
from twinwall.path.primitives import Address, load_u8, put
from twinwall.path.wire import be16, be32, be64

HOP_BY_HOP, ROUTING, FRAGMENT, NO_NEXT, DESTINATION = 0, 43, 44, 59, 60
MAX_EXTENSIONS = 64
NO_KEY = 0  # the quotation is too short, or has no tuple


def quoted_tuple(table: Address, quote: Address, stop: Address, version: int) -> int:
    """Put the addresses of the packet quoted in [quote, stop) into the table's scratch tuple; its forward key, or `NO_KEY`."""
    place = table + H_TUPLE * 8
    if version == 4:
        if quote + 20 > stop:
            return NO_KEY
        if (be16(quote, 6) & 0x1FFF) != 0:
            return NO_KEY  # a later fragment has no ports
        put(place, W_SRC_HI, 0)
        put(place, W_SRC_LO, be32(quote, 12))
        put(place, W_DST_HI, 0)
        put(place, W_DST_LO, be32(quote, 16))
        header = (load_u8(quote, 0) & 15) << 2
        return quoted_key(quote + header, stop, load_u8(quote, 9), version)
    if quote + 40 > stop:
        return NO_KEY
    put(place, W_SRC_HI, be64(quote, 8))
    put(place, W_SRC_LO, be64(quote, 16))
    put(place, W_DST_HI, be64(quote, 24))
    put(place, W_DST_LO, be64(quote, 32))
    return quoted_key6(quote + 40, stop, load_u8(quote, 6))


def quoted_key6(cursor: Address, stop: Address, protocol: int) -> int:
    """Follow the quoted packet's IPv6 extension headers to its transport header, and read the key there."""
    for _ in range(MAX_EXTENSIONS):
        if protocol == NO_NEXT:
            return NO_KEY
        size = 0
        if protocol == HOP_BY_HOP or protocol == ROUTING or protocol == DESTINATION or protocol == FRAGMENT or protocol == AH:
            if cursor + 4 > stop:
                return NO_KEY
            size = (load_u8(cursor, 1) + 1) << 3
            if protocol == AH:
                size = (load_u8(cursor, 1) + 2) << 2
            if protocol == FRAGMENT:
                size = 8
                if (be16(cursor, 2) & 0xFFF8) != 0:
                    return NO_KEY
            protocol = load_u8(cursor, 0)
            cursor = cursor + size
        if size == 0:
            return quoted_key(cursor, stop, protocol, 6)
    return NO_KEY


def quoted_key(cursor: Address, stop: Address, protocol: int, version: int) -> int:
    """The key from the first bytes of the quoted transport header."""
    key = (protocol << 32) | (version << 40)
    if protocol == TCP or protocol == UDP or protocol == UDPLITE or protocol == SCTP:
        if cursor + 4 > stop:
            return NO_KEY
        return key | be16(cursor, 0) | (be16(cursor, 2) << 16)
    if protocol == ICMP or protocol == ICMP6:
        if cursor + 8 > stop:
            return NO_KEY
        return key | be16(cursor, 4) | (load_u8(cursor, 1) << 16) | (load_u8(cursor, 0) << 24)
    if protocol == GRE:
        ports = gre_ports(cursor, stop)
        return NO_KEY if ports == NO_TUPLE else key | ports
    if cursor > stop:
        return NO_KEY
    return key
