"""Frames made by hand, a capture of them, and the conversation that Suricata and our records are compared on."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

MAC = b"\x02" * 6 + b"\x04" * 6
FIRST_SECOND = 1_767_225_600


def ipv4(source: str, destination: str, proto: int, payload: bytes, ttl: int = 64) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 8, 20 + len(payload), 7, 0x4000, ttl, proto, 0)
    addresses = IPv4Address(source).packed + IPv4Address(destination).packed
    total = sum(struct.unpack("!10H", header + addresses))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
    return header[:10] + checksum + addresses + payload


def ipv6(source: str, destination: str, proto: int, payload: bytes, ttl: int = 64) -> bytes:
    header = struct.pack("!IHBB", 0x60112345 | 1 << 24, len(payload), proto, ttl)
    return header + IPv6Address(source).packed + IPv6Address(destination).packed + payload


def ethernet(packet: bytes, *vlans: int) -> bytes:
    kinds = [0x8100 if index == len(vlans) - 1 else 0x88A8 for index in range(len(vlans))]
    tags = b"".join(struct.pack("!HH", kind, vlan) for kind, vlan in zip(kinds, vlans, strict=True))
    return MAC + tags + struct.pack("!H", 0x0800 if packet[0] >> 4 == 4 else 0x86DD) + packet


def tcp(sport: int, dport: int, seq: int, ack: int, flags: int, data: bytes = b"", urgent: int = 0) -> bytes:
    return struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 8192, 0, urgent) + data


def udp(sport: int, dport: int, data: bytes) -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


def icmp(kind: int, code: int, ident: int, seq: int, data: bytes = b"abcdefghijkl") -> bytes:
    return struct.pack("!BBHHH", kind, code, 0, ident, seq) + data


def between(source: str, destination: str, proto: int, payload: bytes, ttl: int = 64) -> bytes:
    """An IP packet of the addresses' family."""
    build = ipv4 if ip_address(source).version == 4 else ipv6
    return build(source, destination, proto, payload, ttl)


def moment(index: int) -> int:
    """When frame `index` was captured, in nanoseconds since 1970: 0.3 s apart, on whole microseconds."""
    return FIRST_SECOND * 10**9 + 123_456_000 + index * 300_000_000


def write_pcap(path: Path, frames: list[bytes]) -> None:
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for index, frame in enumerate(frames):
        seconds, rest = divmod(moment(index), 10**9)
        parts.append(struct.pack("<IIII", seconds, rest // 1000, len(frame), len(frame)) + frame)
    path.write_bytes(b"".join(parts))
