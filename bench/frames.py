"""Packets as bytes: Ethernet frames with right checksums inside the records of a classic capture file (microseconds).

Every length is even, so everything is done in 16-bit words: a header is a table with one row for each packet and one column
for each word, a checksum is a sum over columns, and a frame is put into the file's bytes by one scattered store.
Addresses: clients 10.20.0.0/16 and 2001:db8:20::/48, servers 198.18.0.0/15 and 2001:2::/48 (reserved for benchmarks, RFC 2544
and 5180).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.conversations import ICMP, SYN, TCP, UDP, Packets

Words = NDArray[np.int64]

FILE_HEADER = np.array([0xA1B2C3D4, 0x00040002, 0, 0, 65535, 1], dtype="<u4").tobytes()
RECORD_WORDS = 8  # the 16 bytes before each frame
ETHERNET_WORDS = 7
SYN_OPTIONS = (0x0204, 1460, 0x0103, 0x0307, 0x0101, 0x0402)  # MSS, window scale 7, SACK permitted
WINDOW = 501
POOL_WORDS = 4096
POOL = np.random.default_rng(1969).integers(0x2020, 0x7E7F, POOL_WORDS).astype(np.int64)  # what payloads are cut from
POOL_SUM = np.concatenate([[0], np.cumsum(POOL)])


def fold(total: Words) -> Words:
    """The Internet checksum (RFC 1071) of a sum of 16-bit words."""
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def address_words(host: NDArray[np.uint32], is_client: NDArray[np.bool_], ipv6: bool) -> list[Words]:
    """An address as two or eight words, from its host part."""
    low = (host & 0xFFFF).astype(np.int64)
    high = (host >> 16).astype(np.int64)
    if not ipv6:
        return [np.where(is_client, 0x0A14, 0xC612 + high), low]
    zero = np.zeros_like(low)
    prefix = [np.full_like(low, 0x2001), np.where(is_client, 0x0DB8, 0x0002), np.where(is_client, 0x20, 0)]
    return [*prefix, zero, zero, zero, high, low]


def transport_words(packets: Packets, protocol: int, ipv6: bool, syn: bool) -> list[Words]:
    """The transport header, its checksum word 0."""
    one = np.ones(len(packets), np.int64)
    source = np.where(packets.to_server, packets.client_port, packets.server_port).astype(np.int64)
    target = np.where(packets.to_server, packets.server_port, packets.client_port).astype(np.int64)
    if protocol == UDP:
        return [source, target, 8 + packets.payload, 0 * one]
    if protocol == ICMP:
        request, reply = (128, 129) if ipv6 else (8, 0)
        kind = np.where(packets.to_server, request, reply).astype(np.int64) << 8
        return [kind, 0 * one, packets.client_port.astype(np.int64), packets.seq.astype(np.int64) & 0xFFFF]
    seq, ack = packets.seq.astype(np.int64), packets.ack.astype(np.int64)
    offset_and_flags = ((8 if syn else 5) << 12) | packets.flags.astype(np.int64)
    window = WINDOW * one if not syn else 64240 * one
    header = [source, target, seq >> 16, seq & 0xFFFF, ack >> 16, ack & 0xFFFF, offset_and_flags, window, 0 * one, 0 * one]
    return header + [word * one for word in (SYN_OPTIONS if syn else ())]


CHECKSUM_AT = {TCP: 8, UDP: 3, ICMP: 1}  # word of the transport header


def network_words(packets: Packets, protocol: int, ipv6: bool, length: Words) -> list[Words]:
    """The IP header of packets whose transport header and payload take `length` bytes."""
    one = np.ones(len(packets), np.int64)
    source = address_words(np.where(packets.to_server, packets.client, packets.server), packets.to_server, ipv6)
    target = address_words(np.where(packets.to_server, packets.server, packets.client), ~packets.to_server, ipv6)
    if ipv6:
        number = 58 if protocol == ICMP else protocol
        return [0x6000 * one, 0 * one, length, (number << 8 | 64) * one, *source, *target]
    identity = (packets.time // 1000 & 0xFFFF).astype(np.int64)
    header = [0x4500 * one, 20 + length, identity, 0x4000 * one, (64 << 8 | protocol) * one, 0 * one, *source, *target]
    header[5] = fold(sum(header, start=0 * one))
    return header


def header_words(packets: Packets, protocol: int, ipv6: bool, syn: bool, cut: Words) -> NDArray[np.uint16]:
    """Everything before the payload, in the file's byte order: record header, Ethernet, IP, transport."""
    transport = transport_words(packets, protocol, ipv6, syn)
    length = 2 * len(transport) + packets.payload
    network = network_words(packets, protocol, ipv6, length)
    total = sum(transport, start=POOL_SUM[cut + packets.payload // 2] - POOL_SUM[cut])
    if protocol != ICMP or ipv6:  # the pseudo header: addresses, length and protocol
        number = 58 if protocol == ICMP else protocol
        total = total + sum(network[-16 if ipv6 else -4 :], start=length + number)
    checksum = fold(total)
    transport[CHECKSUM_AT[protocol]] = np.where((checksum == 0) & (protocol == UDP), 0xFFFF, checksum)

    ethernet = [0x0200, 0, 1, 0x0200, 0, 2, 0x86DD if ipv6 else 0x0800]
    big = np.stack([np.full(len(packets), word) for word in ethernet] + network + transport, axis=1).astype(">u2")
    microseconds = packets.time // 1000
    size = 2 * ETHERNET_WORDS + 2 * len(network) + length
    record = np.stack([microseconds // 1_000_000, microseconds % 1_000_000, size, size], axis=1).astype("<u4")
    return np.concatenate([record.view("u2"), big.view("u2")], axis=1)


def group_of(packets: Packets) -> Words:
    """A number for each combination of header lengths and layouts."""
    syn = (packets.flags & SYN) != 0
    groups: Words = packets.protocol.astype(np.int64) * 4 + packets.ipv6 * 2 + syn
    return groups


def encode(packets: Packets, random: np.random.Generator) -> bytes:
    """The packets as records of a capture file."""
    groups = group_of(packets)
    transport = np.select([packets.protocol == TCP], [np.where(packets.flags & SYN, 16, 10)], 4)
    header = RECORD_WORDS + ETHERNET_WORDS + np.where(packets.ipv6, 20, 10) + transport
    size = header + packets.payload // 2
    start = np.cumsum(size) - size
    cut = random.integers(0, POOL_WORDS - 256, len(packets))
    out = np.empty(int(size.sum()), np.uint16)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        chosen = packets.take(rows)
        words = header_words(chosen, int(group) // 4, bool(group & 2), bool(group & 1), cut[rows])
        out[start[rows][:, None] + np.arange(words.shape[1])] = words
    body = packets.payload // 2
    place = np.arange(int(body.sum())) - np.repeat(np.cumsum(body) - body, body)
    out[np.repeat(start + header, body) + place] = POOL.astype(">u2").view("u2")[np.repeat(cut, body) + place]
    return out.tobytes()
