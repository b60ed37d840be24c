"""Checksums of a decoded packet: IPv4 header, TCP, UDP, UDP-Lite (RFC 3828), ICMP, ICMPv6 and SCTP (RFC 9260).

All but SCTP's are the Internet checksum (RFC 1071): the ones' complement sum of 16-bit words, which over data that
includes a right checksum is 0xFFFF.  The transport protocols add a pseudo header (RFC 793, RFC 8200 section 8.1): addresses,
length, protocol.  SCTP uses CRC32c, stored with its low byte first, over the packet with a checksum of zero.

Captures made on the sending machine hold checksums that the network card was to fill in, so nothing here runs unless asked.
"""

from __future__ import annotations

from twinwall.path.layout import (
    ICMP,
    ICMP6,
    IPOPT_LSRR,
    IPOPT_SSRR,
    MARK_FRAGMENT,
    MARK_IP,
    MARK_SNAPPED,
    MARK_TRANSPORT,
    SCTP,
    TCP,
    UDP,
    UDPLITE,
    W_DST_HI,
    W_DST_LO,
    W_HEADER,
    W_KEY,
    W_LENGTH,
    W_PLACE,
    W_SRC_HI,
    W_SRC_LO,
    W_STATUS,
)
from twinwall.path.primitives import Address, get, load_u8, load_u32
from twinwall.path.reason import Reason
from twinwall.path.wire import be16, be32

BAD_IP = int(Reason.BAD_IP_CHECKSUM)
BAD_TRANSPORT = int(Reason.BAD_TRANSPORT_CHECKSUM)

RIGHT = 0xFFFF
CASTAGNOLI = 0x82F63B78  # CRC32c's polynomial, lowest power in the highest bit
SCTP_CHECKSUM = 8  # offset of the checksum in the SCTP common header
FRAG_PIECE = 0x3FFF  # offset and "more" bit: a packet with none of them is whole, though IPv6 may call it a fragment

IP6_ROUTING = 43
IP6_HEADERS = 16  # extension headers that are looked at


def verify(packet: Address, end: Address, record: Address) -> int:
    """`Reason.BAD_IP_CHECKSUM` or `BAD_TRANSPORT_CHECKSUM`; 0 if right, or if nothing can be said.

    Nothing can be said of the transport checksum of a fragment, of a packet that the capture cut, and of one that is source
    routed (the pseudo header holds the last destination, which is not the one in the header yet).
    """
    status = get(record, W_STATUS)
    marks = (status >> 8) & 0xFF
    if not marks & MARK_IP:
        return 0
    l3 = get(record, W_PLACE) & 0xFFFF
    version = (get(record, W_KEY) >> 40) & 0xFF
    if version == 4:
        if not header_is_right(packet + l3, end):
            return BAD_IP
    ip_length = (get(record, W_LENGTH) >> 32) & 0xFFFFFFFF
    if packet + l3 + ip_length > end or marks & MARK_SNAPPED or not marks & MARK_TRANSPORT:
        return 0
    if marks & MARK_FRAGMENT and (get(record, W_HEADER) >> 48) & FRAG_PIECE:
        return 0
    if (status >> 16) & (IPOPT_LSRR | IPOPT_SSRR):
        return 0
    if version == 6 and is_routed(packet + l3, packet + l3 + ip_length):
        return 0
    l4 = (get(record, W_PLACE) >> 16) & 0xFFFF
    if l4 < l3 or l4 > l3 + ip_length:
        return 0
    return 0 if transport_is_right(packet + l4, (l3 + ip_length) - l4, record) else BAD_TRANSPORT


def header_is_right(header: Address, end: Address) -> int:
    """1 if the IPv4 header's checksum is right, or its bytes are not all there."""
    if header + 20 > end:
        return 1
    length = (load_u8(header, 0) & 15) << 2
    if header + length > end:
        return 1
    return 1 if fold(sum16(header, length)) == RIGHT else 0


def is_routed(header: Address, end: Address) -> int:
    """1 if a routing header of the IPv6 packet still has segments to visit."""
    following = load_u8(header, 6)
    cursor = header + 40
    for _ in range(IP6_HEADERS):
        if cursor + 8 > end or (following != 0 and following != IP6_ROUTING and following != 60):
            break
        if following == IP6_ROUTING and load_u8(cursor, 3) != 0:
            return 1
        following = load_u8(cursor, 0)
        cursor = cursor + ((load_u8(cursor, 1) + 1) << 3)
    return 0


def transport_is_right(segment: Address, length: int, record: Address) -> int:
    """1 if the checksum of the `length` bytes of IP payload at `segment` is right, or the protocol has none."""
    key = get(record, W_KEY)
    protocol = (key >> 32) & 0xFF
    if protocol == TCP and length >= 20:
        return 1 if fold(pseudo(record, protocol, length) + sum16(segment, length)) == RIGHT else 0
    if protocol == UDP and length >= 8:
        return udp_is_right(segment, length, record)
    if protocol == UDPLITE and length >= 8:
        return udplite_is_right(segment, length, record)
    if protocol == ICMP and length >= 4:
        return 1 if fold(sum16(segment, length)) == RIGHT else 0
    if protocol == ICMP6 and length >= 4:
        return 1 if fold(pseudo(record, protocol, length) + sum16(segment, length)) == RIGHT else 0
    if protocol == SCTP and length >= 12:
        return 1 if sctp_crc(segment, length) == load_u32(segment, SCTP_CHECKSUM) else 0
    return 1


def udp_is_right(segment: Address, length: int, record: Address) -> int:
    """UDP: its own length field counts; a checksum of 0 says "none" over IPv4 and is wrong over IPv6 (RFC 8200 8.1)."""
    claimed = be16(segment, 4)
    if be16(segment, 6) == 0:
        return 1 if (get(record, W_KEY) >> 40) & 0xFF == 4 else 0
    if claimed < 8 or claimed > length:
        return 0
    return 1 if fold(pseudo(record, UDP, claimed) + sum16(segment, claimed)) == RIGHT else 0


def udplite_is_right(segment: Address, length: int, record: Address) -> int:
    """UDP-Lite: the sum covers as many bytes as the header says, 0 for all; the pseudo header holds the real length."""
    covered = be16(segment, 4)
    if covered == 0:
        covered = length
    if covered < 8 or covered > length or be16(segment, 6) == 0:
        return 0
    return 1 if fold(pseudo(record, UDPLITE, length) + sum16(segment, covered)) == RIGHT else 0


def pseudo(record: Address, protocol: int, length: int) -> int:
    """The sum over the pseudo header; IPv4 addresses have zero high words, so both families add up alike."""
    total = protocol + length
    total = total + words_of(get(record, W_SRC_HI)) + words_of(get(record, W_SRC_LO))
    return total + words_of(get(record, W_DST_HI)) + words_of(get(record, W_DST_LO))


def words_of(value: int) -> int:
    """The sum of the four 16-bit words of a 64-bit value."""
    return (value & 0xFFFF) + ((value >> 16) & 0xFFFF) + ((value >> 32) & 0xFFFF) + (value >> 48)


def sum16(data: Address, length: int) -> int:
    """The sum of `length` bytes as big-endian 16-bit words, zero behind an odd last byte; the caller checked the bounds."""
    total = 0
    at = 0
    while at + 4 <= length:
        word = be32(data, at)
        total = total + (word >> 16) + (word & 0xFFFF)
        at = at + 4
    if at + 2 <= length:
        total = total + be16(data, at)
        at = at + 2
    if at < length:
        total = total + (load_u8(data, at) << 8)
    return total


def fold(total: int) -> int:
    """A sum below 2**48 reduced to 16 bits by adding the carries back."""
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFFFF) + (total >> 16)


def sctp_crc(segment: Address, length: int) -> int:
    """CRC32c over an SCTP packet with its checksum taken as zero."""
    crc = 0xFFFFFFFF
    at = 0
    while at < length:
        byte = load_u8(segment, at)
        if at >= SCTP_CHECKSUM and at < SCTP_CHECKSUM + 4:
            byte = 0
        crc = crc ^ byte
        for _ in range(8):
            crc = (crc >> 1) ^ (CASTAGNOLI if crc & 1 else 0)
        at = at + 1
    return crc ^ 0xFFFFFFFF
