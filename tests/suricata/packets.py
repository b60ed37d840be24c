"""IP packets built field by field, and capture files of them (link type raw IP)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

TCP, UDP, ICMP, ICMP6, SCTP = 6, 17, 1, 58, 132
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
START = 1_767_225_600_000_000  # microseconds since 1970


class Timed(NamedTuple):
    """One packet of a capture."""

    at: int  # microseconds after the capture's start
    data: bytes


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += bytes(len(data) & 1)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip(
    source: str,
    destination: str,
    protocol: int,
    payload: bytes,
    *,
    ttl: int = 64,
    tos: int = 0,
    ident: int = 1,
    fragment: int = 0x4000,
    options: bytes = b"",
) -> bytes:
    """An IPv4 or IPv6 packet, by the kind of the addresses; `fragment` is flags and offset as in the IPv4 header."""
    src, dst = ip_address(source).packed, ip_address(destination).packed
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28 | tos << 20, len(payload), protocol, ttl) + src + dst + payload
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", 0x40 | words, tos, 4 * words + len(payload), ident, fragment, ttl, protocol, 0)
    head += src + dst + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(
    sport: int, dport: int, flags: str, seq: int, ack: int, data: bytes = b"", *, window: int = 8192, options: bytes = b""
) -> bytes:
    """A TCP segment; flags by their letters as in rules: F S R P A U E C."""
    bits = sum(FLAGS[letter] for letter in flags)
    numbers = (seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (5 + len(options) // 4) << 4, bits, window, 0, 0)
    return struct.pack("!HHIIBBHHH", sport, dport, *numbers) + options + data


def udp(sport: int, dport: int, data: bytes = b"") -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


def icmp(kind: int, code: int, ident: int = 1, seq: int = 1, data: bytes = b"") -> bytes:
    return struct.pack("!BBHHH", kind, code, 0, ident, seq) + data


def icmp_error(kind: int, code: int, quoted: bytes, rest: int = 0) -> bytes:
    return struct.pack("!BBHI", kind, code, 0, rest) + quoted


def fragments(packet: bytes, *sizes: int) -> list[bytes]:
    """An IPv4 packet without options in pieces of so many bytes, and a last one with what is left."""
    header, payload = packet[:20], packet[20:]
    pieces = []
    start = 0
    for size in (*sizes, len(payload) - sum(sizes)):
        more = 0x2000 if start + size < len(payload) else 0
        head = header[:2] + struct.pack("!H", 20 + size) + header[4:6] + struct.pack("!H", more | start // 8)
        head += header[8:10] + bytes(2) + header[12:]
        pieces.append(head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload[start : start + size])
        start += size
    return pieces


def fragments6(packet: bytes, ident: int, *sizes: int) -> list[bytes]:
    """The same of an IPv6 packet without extension headers; no sizes: one atomic fragment."""
    protocol, payload = packet[6], packet[40:]
    pieces = []
    start = 0
    for size in (*sizes, len(payload) - sum(sizes)):
        more = 1 if start + size < len(payload) else 0
        body = struct.pack("!BBHI", protocol, 0, start | more, ident) + payload[start : start + size]
        pieces.append(packet[:4] + struct.pack("!HB", len(body), 44) + packet[7:40] + body)
        start += size
    return pieces


def write_capture(path: Path, packets: Iterable[Timed]) -> Path:
    """A pcap file of raw IP packets."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)]
    for at, data in packets:
        seconds, micros = divmod(START + at, 1_000_000)
        parts.append(struct.pack("<IIII", seconds, micros, len(data), len(data)) + data)
    path.write_bytes(b"".join(parts))
    return path
