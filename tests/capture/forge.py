"""Builds capture files byte by byte, well-formed or not, without the code under test."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

MICRO, NANO, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34


class Packet(NamedTuple):
    """`fraction` is in the file's unit; `wire` None: as captured."""

    seconds: int
    fraction: int
    data: bytes
    wire: int | None = None

    @property
    def wire_length(self) -> int:
        return len(self.data) if self.wire is None else self.wire


def pcap_header(order: str = "<", magic: int = MICRO, linktype: int = 1, version: tuple[int, int] = (2, 4)) -> bytes:
    return struct.pack(order + "IHHIIII", magic, *version, 0, 0, 262144, linktype)


def pcap_record(packet: Packet, order: str = "<", magic: int = MICRO) -> bytes:
    head = struct.pack(order + "IIII", packet.seconds, packet.fraction, len(packet.data), packet.wire_length)
    return head + (bytes(8) if magic == MODIFIED else b"") + packet.data


def pcap(packets: Sequence[Packet], order: str = "<", magic: int = MICRO, linktype: int = 1) -> bytes:
    records = b"".join(pcap_record(packet, order, magic) for packet in packets)
    return pcap_header(order, magic, linktype) + records


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    total = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + total + body + total


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", major: int = 1) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1), order)


def interface(linktype: int = 1, order: str = "<", snaplen: int = 0, options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", linktype, 0, snaplen) + options, order)


def enhanced(
    ticks: int, data: bytes, number: int = 0, order: str = "<", wire: int | None = None, options: bytes = b""
) -> bytes:
    length = len(data) if wire is None else wire
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), length)
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def simple(data: bytes, order: str = "<", wire: int | None = None) -> bytes:
    return block(3, struct.pack(order + "I", len(data) if wire is None else wire) + data, order)


def old_packet(ticks: int, data: bytes, number: int = 0, order: str = "<") -> bytes:
    head = struct.pack(order + "HHIIII", number, 7, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(2, head + data, order)
