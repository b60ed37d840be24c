"""A conversation with the fragment table: packets in, outcomes out, time advanced by the test."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address

import numpy as np

from twinwall.path.layout import MARK_FRAGMENT, MARK_IP, RECORD
from twinwall.path.primitives import Pointer
from twinwall.path.reason import Reason
from twinwall.policy.model import Overlap, Tracking
from twinwall.stream import fragments
from twinwall.stream.table import FragmentTable

NAMES = {
    getattr(fragments, name): name for name in ("WHOLE", "HELD", "COMPLETE", "OVERLAP", "DUPLICATE", "LIMIT", "BAD", "EVICT")
}
SECOND = 1_000_000_000
LINK = 14  # the pieces stand behind an Ethernet header: places count from the start of the frame


@dataclass(frozen=True)
class Piece:
    """One piece of a datagram; `start` in bytes."""

    start: int
    data: bytes
    more: bool = True
    id: int = 7
    source: str = "192.0.2.1"
    destination: str = "198.51.100.2"
    protocol: int = 17
    tos: int = 0
    options: bytes = b""  # IPv4 options, or IPv6 extension headers before the fragment header
    first_header: int = 44  # IPv6: what the IPv6 header announces

    @property
    def version(self) -> int:
        return ip_address(self.source).version

    def encode(self) -> bytes:
        return v4(self) if self.version == 4 else v6(self)


def internet_checksum(data: bytes) -> int:
    """RFC 1071, the slow way."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def v4(piece: Piece) -> bytes:
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45 + len(piece.options) // 4,
        piece.tos,
        (20 + len(piece.options) + len(piece.data)) & 0xFFFF,
        piece.id & 0xFFFF,
        piece.start // 8 | (0x2000 if piece.more else 0),
        64,
        piece.protocol,
        0,
        ip_address(piece.source).packed,
        ip_address(piece.destination).packed,
    )
    header += piece.options
    return header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:] + piece.data


def v6(piece: Piece) -> bytes:
    fragment = struct.pack("!BBHI", piece.protocol, 0, piece.start | piece.more, piece.id)
    body = piece.options + fragment + piece.data
    first = struct.pack("!IHBB", 0x60000000 | piece.tos << 20, len(body) & 0xFFFF, piece.first_header, 64)
    return first + ip_address(piece.source).packed + ip_address(piece.destination).packed + body


def record_of(packet: bytes) -> np.ndarray:
    """The words of a decoded record that reassembly reads."""
    record = np.zeros(1, dtype=RECORD)
    version = packet[LINK] >> 4
    record["version"], record["l3"], record["marks"] = version, LINK, MARK_IP | MARK_FRAGMENT
    if version == 4:
        source, destination = packet[LINK + 12 : LINK + 16], packet[LINK + 16 : LINK + 20]
        record["proto"] = packet[LINK + 9]
    else:
        source, destination = packet[LINK + 8 : LINK + 24], packet[LINK + 24 : LINK + 40]
    for name, address in (("src", source), ("dst", destination)):
        number = int.from_bytes(address, "big")
        record[f"{name}_hi"], record[f"{name}_lo"] = number >> 64, number & 0xFFFFFFFFFFFFFFFF
    return record


@dataclass(frozen=True)
class Answer:
    """What `defragment` said; `packets` are those that the answer is for, `datagram` the bytes where it is complete."""

    outcome: str
    reason: Reason | None = None
    packets: tuple[int, ...] = ()
    datagram: bytes = b""
    snapped: bool = False


class Dialogue:
    """One fragment table, spoken to as the engine does: expire, ask, read the slot, release it."""

    def __init__(self, overlap: Overlap = Overlap.DISCARD, **settings) -> None:
        self.table = FragmentTable(Tracking(overlap=overlap, **settings))
        self.memory = self.table.pointer()
        self.count = 0
        self.now = 1_700_000_000 * SECOND

    def say(self, piece: Piece | bytes, captured: int | None = None) -> Answer:
        """Send one packet (the capture holding `captured` bytes of it) and hear the answer."""
        self.count += 1
        packet = b"\x02" * LINK + (piece if isinstance(piece, bytes) else piece.encode())
        record = record_of(packet).view(np.uint64)
        packet = packet[: None if captured is None else LINK + captured]
        start = Pointer(packet)
        word = fragments.defragment(
            self.memory, start, start + len(packet), Pointer(record.data.cast("B")), self.count, self.now
        )
        return self.answer(word)

    def answer(self, word: int) -> Answer:
        outcome = NAMES[word & 0xFF]
        reason = Reason((word >> 8) & 0xFF) if (word >> 8) & 0xFF else None
        slot = word >> 32
        if slot == 0:
            return Answer(outcome, reason)
        packets = self.waiting(slot)
        datagram, snapped = b"", False
        if outcome == "COMPLETE":
            at = fragments.datagram_address(self.memory, slot)
            datagram = bytes(at.memory[at.at : at.at + fragments.datagram_length(self.memory, slot)])
            snapped = bool(fragments.datagram_snapped(self.memory, slot))
        fragments.release(self.memory, slot)
        return Answer(outcome, reason, packets, datagram, snapped)

    def waiting(self, slot: int) -> tuple[int, ...]:
        return tuple(
            fragments.waiting_packet(self.memory, slot, index) for index in range(fragments.waiting_count(self.memory, slot))
        )

    def wait(self, seconds: float) -> list[tuple[int, ...]]:
        """Let time pass: the packets of every datagram that expires."""
        self.now += round(seconds * SECOND)
        expired = []
        while slot := fragments.expire(self.memory, self.now):
            expired.append(self.waiting(slot))
            fragments.release(self.memory, slot)
        return expired


def outcomes(dialogue: Dialogue, *pieces: Piece) -> list[str]:
    return [dialogue.say(piece).outcome for piece in pieces]
