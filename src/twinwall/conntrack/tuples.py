"""The tuple of a packet, as one word that an entry's `E_KEY` can be compared with, in both directions.

A forward key describes the packet as its sender sees it, a reverse key as the answer would.  Layout as in `E_KEY`, bits 0-47:
first port, second port, protocol, IP version.  ICMP has its identifier in place of the first port, and type and code in place
of the second; protocols without ports have zeros.
"""

from __future__ import annotations

from twinwall.conntrack.header import H_KEY0, H_KEY1
from twinwall.conntrack.protocols.icmp import icmp_key, inverse_icmp_key
from twinwall.conntrack.siphash import LONG, SHORT, siphash13
from twinwall.path.layout import GRE, ICMP, ICMP6, SCTP, TCP, UDP, UDPLITE, W_DST_HI, W_DST_LO, W_KEY, W_SRC_HI, W_SRC_LO
from twinwall.path.primitives import Address, get, table_at

KEY_MASK = 0xFFFFFFFFFFFF
NO_PORTS = 0xFFFF00000000


def swap_ports(key: int) -> int:
    """The key with first and second port exchanged."""
    return (key & NO_PORTS) | ((key & 0xFFFF) << 16) | ((key >> 16) & 0xFFFF)


def forward_key(record: Address) -> int:
    """The key of a decoded packet (GRE: of its outer addresses; `gre` adds the call)."""
    key = get(record, W_KEY) & KEY_MASK
    proto = (key >> 32) & 0xFF
    if proto == TCP or proto == UDP or proto == SCTP or proto == UDPLITE:
        return key
    if proto == ICMP or proto == ICMP6:
        return icmp_key(record)
    return key & NO_PORTS


def reverse_key(key: int) -> int:
    """The key of the answer to a packet with this key."""
    proto = (key >> 32) & 0xFF
    if proto == ICMP or proto == ICMP6:
        return inverse_icmp_key(key)
    return swap_ports(key)


def without_call(key: int) -> int:
    """The key as it is hashed: a GRE call does not count, so that all calls between two hosts share a chain."""
    return key & NO_PORTS if ((key >> 32) & 0xFF) == GRE else key


def hash_tuple(table: Address, place: Address, forward: int, reverse: int) -> int:
    """32 bits, the same for both directions; `place` holds source and destination address in words 0-3."""
    words = SHORT
    src_hi = 0
    src_lo = get(place, W_SRC_LO)
    dst_hi = 0
    dst_lo = get(place, W_DST_LO)
    if ((forward >> 40) & 0xFF) != 4:
        words = LONG
        src_hi = get(place, W_SRC_HI)
        dst_hi = get(place, W_DST_HI)
    swapped = 0
    if src_hi > dst_hi or (src_hi == dst_hi and src_lo > dst_lo):
        swapped = 1
    if src_hi == dst_hi and src_lo == dst_lo and forward > reverse:
        swapped = 1
    key = reverse if swapped != 0 else forward
    first_hi = dst_hi if swapped != 0 else src_hi
    first_lo = dst_lo if swapped != 0 else src_lo
    second_hi = src_hi if swapped != 0 else dst_hi
    second_lo = src_lo if swapped != 0 else dst_lo
    if words == SHORT:
        second_lo = (first_lo << 32) | second_lo
    hashed = siphash13(table_at(table, H_KEY0), table_at(table, H_KEY1), words, first_hi, first_lo, second_hi, second_lo, key)
    return hashed & 0xFFFFFFFF


def hash_record(table: Address, record: Address) -> int:
    """`hash_tuple` of a decoded packet; GRE calls between two hosts share a chain."""
    forward = forward_key(record)
    return hash_tuple(table, record, forward, reverse_key(forward))
