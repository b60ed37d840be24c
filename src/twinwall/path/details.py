"""What only the stateful engine asks of a packet: the IPv4 options it carries, and the chunks of an SCTP packet.

Both are lists of items of varying length, which the stateless engine (and with it eBPF) does not need.
"""

from __future__ import annotations

from twinwall.path.layout import (
    IPOPT_EOL,
    IPOPT_ESEC,
    IPOPT_LSRR,
    IPOPT_NOP,
    IPOPT_OTHER,
    IPOPT_RR,
    IPOPT_SATID,
    IPOPT_SEC,
    IPOPT_SSRR,
    IPOPT_TS,
    MARK_TRANSPORT,
    SCTP,
    W_KEY,
    W_PLACE,
    W_SCTP,
    W_STATUS,
)
from twinwall.path.primitives import Address, get, load_u8, put
from twinwall.path.wire import be16

CHUNKS = 64  # how many chunks of one packet are looked at


def details(packet: Address, end: Address, record: Address) -> int:
    """Complete a decoded record with IPv4 options and SCTP chunks."""
    key = get(record, W_KEY)
    place = get(record, W_PLACE)
    if key >> 40 & 0xFF == 4:
        at = place & 0xFFFF
        if place >> 16 & 0xFFFF > at + 20:
            ip_options(packet + at + 20, packet + (place >> 16 & 0xFFFF), end, record)
    if key >> 32 & 0xFF == SCTP and get(record, W_STATUS) >> 8 & MARK_TRANSPORT:
        sctp_chunks(packet + (place >> 32 & 0xFFFF), place >> 48, end, record)
    return 0


def ip_options(cursor: Address, stop: Address, end: Address, record: Address) -> int:
    """Collect the IPv4 options in [cursor, stop) as bits (RFC 791 section 3.1)."""
    seen = 0
    while cursor < stop and cursor + 1 <= end:
        kind = load_u8(cursor, 0)
        bit = option_bit(kind)
        seen = seen | bit
        if kind == 0:
            break
        size = 1
        if kind != 1:
            if cursor + 2 > end or cursor + 2 > stop:
                break
            size = load_u8(cursor, 1)
            if size < 2:
                break
        cursor = cursor + size
    put(record, W_STATUS, get(record, W_STATUS) | seen << 16)
    return 0


def option_bit(kind: int) -> int:
    """The bit that stands for an IPv4 option type."""
    if kind == 0:
        return IPOPT_EOL
    if kind == 1:
        return IPOPT_NOP
    if kind == 7:
        return IPOPT_RR
    if kind == 68:
        return IPOPT_TS
    if kind == 130:
        return IPOPT_SEC
    if kind == 133:
        return IPOPT_ESEC
    if kind == 131:
        return IPOPT_LSRR
    if kind == 137:
        return IPOPT_SSRR
    if kind == 136:
        return IPOPT_SATID
    return IPOPT_OTHER


def sctp_chunks(cursor: Address, length: int, end: Address, record: Address) -> int:
    """Note which chunk types the packet carries: bit n for type n, bit 31 for any type above 30 (RFC 9260 section 3.2)."""
    seen = 0
    left = length
    count = 0
    while count < CHUNKS and left >= 4 and cursor + 4 <= end:
        kind = load_u8(cursor, 0)
        if kind > 30:
            kind = 31
        seen = seen | 1 << kind
        size = (be16(cursor, 2) + 3) & 0x1FFFC
        if size < 4 or size > left:
            break
        cursor = cursor + size
        left = left - size
        count = count + 1
    put(record, W_SCTP, get(record, W_SCTP) | seen << 32)
    return 0
