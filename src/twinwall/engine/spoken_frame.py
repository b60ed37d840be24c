"""A packet in words as a frame: raw IP, or Ethernet where it has VLAN tags; lengths and checksums are right.

`engine.conversation` has filled in what the words left open.  The payload is zeros.  Of a fragmented datagram each piece is
encoded by itself: the first one has the transport header, whose checksum and UDP length are then those of the piece.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from twinwall.engine.spoken import SpokenPacket
from twinwall.path.layout import (
    AH,
    ESP,
    FRAG_DONT,
    FRAG_MORE,
    GRE,
    ICMP,
    ICMP6,
    LINK_ETHERNET,
    LINK_RAW,
    SCTP,
    TCP,
    UDP,
    UDPLITE,
)

DEFAULT_WINDOW = 65_535
GRE_KEY = 0x2000
NO_NEXT_HEADER = 59
FRAGMENT_HEADER = 44
QUOTED_BYTES = 8  # of the transport header, by RFC 792; TCP is quoted with its whole header
SCTP_TAG = 0x74770000  # verification tags are made of this and the port of the side that expects them
CASTAGNOLI = 0x82F63B78
INIT, INIT_ACK, SHUTDOWN_ACK = 1, 2, 8
ETHERTYPES = {4: 0x0800, 6: 0x86DD}
VLAN = 0x8100


@dataclass(frozen=True, slots=True)
class SpokenFrame:
    """A frame and what a capture would say of it; `link` is a path.layout.LINK_*."""

    data: bytes
    link: int


def encode(packet: SpokenPacket) -> SpokenFrame:
    """The frame that carries `packet`."""
    data = encode_ip(packet)
    if not packet.vlans:
        return SpokenFrame(data, LINK_RAW)
    tags = b"".join(struct.pack(">HH", VLAN, number) for number in packet.vlans)
    return SpokenFrame(bytes(12) + tags + struct.pack(">H", ETHERTYPES[packet.version]) + data, LINK_ETHERNET)


def encode_ip(packet: SpokenPacket) -> bytes:
    """The IP packet."""
    if packet.fragment is not None and packet.fragment.offset > 0:
        payload = bytes(packet.length)
    else:
        payload = _transport(packet)
    return _ipv4(packet, payload) if packet.version == 4 else _ipv6(packet, payload)


def _ipv4(packet: SpokenPacket, payload: bytes) -> bytes:
    piece = FRAG_DONT if packet.dont_fragment else 0
    if packet.fragment is not None:
        piece |= packet.fragment.offset >> 3 | (FRAG_MORE if packet.fragment.more else 0)
    addresses = packet.source.host.packed + packet.destination.host.packed
    fields = (0x45, packet.tos, 20 + len(payload), packet.ip_ident or 0, piece, packet.ttl, packet.protocol)
    total = checksum(struct.pack(">BBHHHBBH", *fields, 0) + addresses)
    return struct.pack(">BBHHHBBH", *fields, total) + addresses + payload


def _ipv6(packet: SpokenPacket, payload: bytes) -> bytes:
    following = packet.protocol
    if packet.fragment is not None:
        place = packet.fragment.offset | (1 if packet.fragment.more else 0)
        payload = struct.pack(">BBHI", following, 0, place, packet.ip_ident or 0) + payload
        following = FRAGMENT_HEADER
    head = struct.pack(">IHBB", 6 << 28 | packet.tos << 20, len(payload), following, packet.ttl)
    return head + packet.source.host.packed + packet.destination.host.packed + payload


def _transport(packet: SpokenPacket) -> bytes:
    body = bytes(packet.length)
    if packet.protocol == TCP:
        return _tcp(packet, body)
    if packet.protocol in (UDP, UDPLITE):
        return _udp(packet, body)
    if packet.protocol in (ICMP, ICMP6):
        return _icmp(packet, body)
    if packet.protocol == SCTP:
        return _sctp(packet, body)
    if packet.protocol == GRE:
        # 0x88B5 is the Ethertype for local experiments: the tunnelled bytes are zeros, and no IP packet.
        head = struct.pack(">HH", GRE_KEY if packet.key is not None else 0, 0x88B5)
        return head + (b"" if packet.key is None else packet.key.to_bytes(4, "big")) + body
    if packet.protocol == ESP:
        return struct.pack(">II", 1, 1) + body
    if packet.protocol == AH:
        return struct.pack(">BBHII", NO_NEXT_HEADER, 4, 0, 1, 1) + bytes(12) + body
    return body


def _ports(packet: SpokenPacket) -> tuple[int, int]:
    return packet.source.port or 0, packet.destination.port or 0


def _tcp(packet: SpokenPacket, body: bytes) -> bytes:
    window = DEFAULT_WINDOW if packet.window is None else packet.window
    head = struct.pack(">HHIIBBHHH", *_ports(packet), packet.seq or 0, packet.ack or 0, 5 << 4, packet.flags, window, 0, 0)
    return _summed(packet, head + body, 16)


def _udp(packet: SpokenPacket, body: bytes) -> bytes:
    segment = _summed(packet, struct.pack(">HHHH", *_ports(packet), 8 + len(body), 0) + body, 6)
    # A sum of 0 is sent as its other form, because 0 says that there is none (RFC 768).
    return segment if segment[6:8] != b"\0\0" else segment[:6] + b"\xff\xff" + segment[8:]


def _icmp(packet: SpokenPacket, body: bytes) -> bytes:
    kind, code = packet.message or (0, 0)
    if packet.quote is not None:
        quoted = encode_ip(packet.quote)
        header = 20 if packet.quote.version == 4 else 40
        transport = 20 if packet.quote.protocol == TCP else QUOTED_BYTES
        body = quoted[: header + transport] + body
        rest = bytes(4)
    else:
        rest = struct.pack(">HH", 1 if packet.ident is None else packet.ident, 1 if packet.seq is None else packet.seq)
    return _summed(packet, struct.pack(">BBH", kind, code, 0) + rest + body, 2)


def _sctp(packet: SpokenPacket, body: bytes) -> bytes:
    chunk = packet.chunk or 0
    source, destination = _ports(packet)
    tag = 0 if chunk == INIT else SCTP_TAG | destination
    if chunk in (INIT, INIT_ACK):
        value = struct.pack(">IIHHI", SCTP_TAG | source, 65_535, 10, 10, 1) + body
    elif chunk == 0:
        value = struct.pack(">IHHI", 1, 0, 0, 0) + (body or bytes(4))
    else:
        value = body
    flags = 3 if chunk == 0 else 0
    padded = value + bytes(-len(value) % 4)
    head = struct.pack(">HHI", source, destination, tag)
    chunks = struct.pack(">BBH", chunk, flags, 4 + len(value)) + padded
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunks)) + chunks


def _summed(packet: SpokenPacket, segment: bytes, at: int) -> bytes:
    """The segment with its checksum at offset `at`; ICMP alone has no pseudo header."""
    pseudo = b""
    if packet.protocol != ICMP:
        pseudo = packet.source.host.packed + packet.destination.host.packed + struct.pack(">II", len(segment), packet.protocol)
    return segment[:at] + struct.pack(">H", checksum(pseudo + segment)) + segment[at + 2 :]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def crc32c(data: bytes) -> int:
    """CRC32c (RFC 9260 appendix A)."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (CASTAGNOLI if value & 1 else 0)
    return value ^ 0xFFFFFFFF
