"""The datagram that the pieces make: the first piece's header, corrected, in front of the payload.

IPv4: total length, offset and "more" flag, header checksum.  IPv6: the fragment header is gone, the header before it announces
what the fragment header announced, and the payload length is that of the whole (RFC 8200 section 4.5).

Congestion marks (RFC 3168 section 5.3): if one piece met congestion, so did the datagram; pieces of which some can carry the
mark and others cannot do not belong together, and Linux refuses the datagram.
"""

from __future__ import annotations

from twinwall.path.checksum import fold, sum16
from twinwall.path.primitives import Address, get, load_u8, put, store_u8
from twinwall.stream.layout import (
    B_PAYLOAD,
    H_ECN,
    H_END,
    H_FIRST,
    H_HEADER,
    H_KEY,
    H_LENGTH,
    H_NEXT,
    H_NEXT_AT,
    MAX_DATAGRAM,
    T_DISCARD,
    T_HEADER,
    T_NEXT,
    T_NEXT_AT,
    T_PLACE,
)

IP6_HEADER = 40  # does not count in IPv6's payload length
ECN_NONE, ECN_CONGESTION = 1, 8  # 1 << the ECN bits: not capable of marks, congestion met
KEEP_FLAGS = 0xC0  # of IPv4's flags, what the datagram keeps: reserved and "don't fragment"


def keep_header(table: Address, head: Address, body: Address, packet: Address) -> int:
    """Copy what stands before the first piece's payload."""
    length = get(table, T_HEADER)
    place = get(table, T_PLACE)
    if get(head, H_KEY) >> 40 == 6:
        place = place - 8  # the fragment header stays behind
    index = 0
    while index < length:
        store_u8(body, B_PAYLOAD - length + index, load_u8(packet, place - length + index))
        index = index + 1
    put(head, H_HEADER, length)
    put(head, H_NEXT_AT, get(table, T_NEXT_AT))
    put(head, H_NEXT, get(table, T_NEXT))
    put(head, H_FIRST, 1)
    return 0


def is_finishable(table: Address, head: Address) -> int:
    """1 if header and payload fit into one packet and, as Linux demands, the congestion marks fit each other."""
    header = get(head, H_HEADER)
    if get(head, H_KEY) >> 40 == 6:
        header = header - IP6_HEADER
    if header + get(head, H_END) > MAX_DATAGRAM:
        return 0
    ecn = get(head, H_ECN)
    return 0 if get(table, T_DISCARD) and ecn & ECN_NONE and ecn != ECN_NONE else 1


def finish(head: Address, body: Address) -> int:
    """Correct the header of a complete datagram."""
    length = get(head, H_HEADER)
    header = body + (B_PAYLOAD - length)
    put(head, H_LENGTH, length + get(head, H_END))
    if get(head, H_KEY) >> 40 == 6:
        return finish_v6(head, header)
    return finish_v4(head, header)


def finish_v4(head: Address, header: Address) -> int:
    """Total length, fragment field, congestion mark, checksum."""
    store_be16(header, 2, get(head, H_LENGTH))
    store_be16(header, 6, (load_u8(header, 6) & KEEP_FLAGS) << 8)
    if get(head, H_ECN) & ECN_CONGESTION:
        store_u8(header, 1, load_u8(header, 1) | 3)
    store_be16(header, 10, 0)
    store_be16(header, 10, fold(sum16(header, get(head, H_HEADER))) ^ 0xFFFF)
    return 0


def finish_v6(head: Address, header: Address) -> int:
    """Payload length, next header, congestion mark."""
    store_be16(header, 4, get(head, H_LENGTH) - IP6_HEADER)
    store_u8(header, get(head, H_NEXT_AT), get(head, H_NEXT))
    if get(head, H_ECN) & ECN_CONGESTION:
        store_u8(header, 1, load_u8(header, 1) | 0x30)
    return 0


def store_be16(base: Address, offset: int, value: int) -> int:
    """Write a 16-bit number as it stands on the wire."""
    store_u8(base, offset, value >> 8)
    store_u8(base, offset + 1, value)
    return 0
