"""IP packets for the tracker's tests, written out byte by byte: transport headers, and the two ends of a conversation."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import NamedTuple

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "W": 128}
WSCALE_7 = b"\x03\x03\x07\x00"
SACK_PERMITTED = b"\x04\x02\x01\x01"


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip(source: str, destination: str, protocol: int, payload: bytes, ttl: int = 64, fragment: int = 0x4000) -> bytes:
    """An IPv4 or IPv6 packet, by the kind of the addresses."""
    src, dst = ip_address(source).packed, ip_address(destination).packed
    if len(src) == 16:
        return struct.pack("!IHBB", 0x60000000, len(payload), protocol, ttl) + src + dst + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, fragment, ttl, protocol, 0) + src + dst
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(sport: int, dport: int, flags: str, seq: int, ack: int, window: int, payload: bytes, options: bytes) -> bytes:
    """A TCP segment; flags by their letters, F S R P A U E W."""
    bits = sum(FLAGS[letter] for letter in flags)
    words = 5 + len(options) // 4
    numbers = (seq & 0xFFFFFFFF, ack & 0xFFFFFFFF)
    return struct.pack("!HHIIBBHHH", sport, dport, *numbers, words << 4, bits, window, 0, 0) + options + payload


def udp(sport: int, dport: int, payload: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(payload) if length is None else length, 0) + payload


def icmp(kind: int, code: int = 0, ident: int = 1, seq: int = 1, payload: bytes = b"") -> bytes:
    return struct.pack("!BBHHH", kind, code, 0, ident, seq) + payload


def sctp(sport: int, dport: int, tag: int, *chunks: bytes) -> bytes:
    return struct.pack("!HHII", sport, dport, tag, 0) + b"".join(chunks)


def chunk(kind: int, flags: int = 0, body: bytes = b"") -> bytes:
    return struct.pack("!BBH", kind, flags, 4 + len(body)) + body + bytes(-len(body) % 4)


def init_chunk(kind: int, tag: int) -> bytes:
    """An INIT (1) or INIT ACK (2) that announces `tag`."""
    return chunk(kind, 0, struct.pack("!IIHHI", tag, 65535, 1, 1, 1))


class End(NamedTuple):
    """One end of a conversation."""

    address: str
    port: int


class Pair(NamedTuple):
    """Client and server; the methods make the packets that one of them sends."""

    client: End = End("10.0.0.1", 40000)
    server: End = End("198.51.100.7", 443)

    def swapped(self) -> Pair:
        return Pair(self.server, self.client)

    def tcp(
        self, flags: str, seq: int, ack: int = 0, size: int = 0, window: int = 1000, options: bytes = b"", ttl: int = 64
    ) -> bytes:
        """A segment from client to server."""
        segment = tcp(self.client.port, self.server.port, flags, seq, ack, window, bytes(size), options)
        return ip(self.client.address, self.server.address, 6, segment, ttl)

    def udp(self, size: int = 4, protocol: int = 17) -> bytes:
        """A datagram from client to server."""
        return ip(self.client.address, self.server.address, protocol, udp(self.client.port, self.server.port, bytes(size)))

    def sctp(self, tag: int, *chunks: bytes) -> bytes:
        """An SCTP packet from client to server."""
        return ip(self.client.address, self.server.address, 132, sctp(self.client.port, self.server.port, tag, *chunks))

    def icmp(self, kind: int, code: int = 0, ident: int = 1, payload: bytes = b"") -> bytes:
        """An ICMP or ICMPv6 message from client to server."""
        protocol = 58 if ":" in self.client.address else 1
        return ip(self.client.address, self.server.address, protocol, icmp(kind, code, ident, payload=payload))


PAIR6 = Pair(End("2001:db8:20::1", 40000), End("2001:db8:ffff::7", 443))
