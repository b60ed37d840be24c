"""Changing IP packets byte by byte: fields, options, checksums, the number that identifies a packet, fragments, damage."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

IDENTS = 1 << 16  # numbers that a packet can carry
MORE = 0x2000
FLAGS4 = (0, 0x4000, 0x4000, 0x4000, 0x8000, 0xC000)  # none, don't fragment, reserved, both
HOPS = (64, 64, 64, 64, 64, 63, 2, 3, 128, 255)  # never 1: a router answers those itself
SERVICES = (0, 0, 0, 0, 0, 8, 0x10, 0xB8, 3)
# Options of whole words: no-operations, timestamp, stream identifier, an unknown one; and such that the end of the list pads:
# record route, security, extended security.
OPTIONS4 = (b"\x01\x01\x01\x01", b"\x44\x0c\x05\0" + bytes(8), b"\x88\x04\x12\x34", b"\x5e\x04\0\0")
LAST_OPTIONS4 = (b"", b"\x07\x07\x04\0\0\0\0\0", b"\x82\x0b" + bytes(10), b"\x85\x03\x01\0", b"\x01\x01\x01\0")
# Where a transport header has its checksum, and over what: by protocol, the offset.
CHECKSUMS = {6: 16, 17: 6, 136: 6, 1: 2, 58: 2}
WITHOUT_PSEUDO_HEADER = 1  # ICMP
IPV6 = 40
HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS = 0, 43, 60
# Extension headers, and what follows their first byte: padding; a routing header that has been followed to its end.
EXTENSIONS = {
    HOP_BY_HOP: (b"\0\x01\x04" + bytes(4),),
    ROUTING: (b"\0\x04\0" + bytes(4),),
    DESTINATION_OPTIONS: (b"\0\x01\x04" + bytes(4), b"\x01\x01\x0c" + bytes(12)),
}


def version_of(packet: bytes) -> int:
    return packet[0] >> 4


def header_length(packet: bytes) -> int:
    """Of the IP header and, of a whole IPv6 packet, its extension headers."""
    return _behind_headers(packet)[1]


def protocol_of(packet: bytes) -> int:
    """What stands behind the headers; of a piece, the fragment header."""
    return _behind_headers(packet)[0]


def _behind_headers(packet: bytes) -> tuple[int, int]:
    if version_of(packet) == 4:
        return packet[9], (packet[0] & 15) * 4
    protocol, at = packet[6], IPV6
    while protocol in EXTENSIONS and at + 2 <= len(packet):
        protocol, at = packet[at], at + 8 + packet[at + 1] * 8
    return protocol, at


def folded(data: bytes) -> int:
    """The ones' complement sum of RFC 1071, in one division."""
    total = int.from_bytes(data + bytes(len(data) % 2), "big") % 0xFFFF
    return total or (0xFFFF if any(data) else 0)


def with_word(data: bytes, at: int, value: int) -> bytes:
    """`data` with 16 bits replaced."""
    return data[:at] + struct.pack("!H", value) + data[at + 2 :]


def fix_ipv4(packet: bytes) -> bytes:
    """The packet with a right IPv4 header checksum."""
    if version_of(packet) != 4:
        return packet
    blank = with_word(packet, 10, 0)
    return with_word(packet, 10, folded(blank[: header_length(packet)]) ^ 0xFFFF)


def fix_checksums(packet: bytes) -> bytes:
    """The packet with right checksums, as far as it is long enough to have them."""
    start, protocol = header_length(packet), protocol_of(packet)
    place = CHECKSUMS.get(protocol)
    if place is not None and len(packet) >= start + place + 2:
        blank = with_word(packet, start + place, 0)
        pseudo = b""
        if protocol != WITHOUT_PSEUDO_HEADER:
            addresses = packet[12:20] if version_of(packet) == 4 else packet[8:40]
            pseudo = addresses + struct.pack("!II", len(packet) - start, protocol)
        packet = with_word(blank, start + place, (folded(pseudo + blank[start:]) ^ 0xFFFF) or 0xFFFF)
    return fix_ipv4(packet)


def vary_fields(rng: Random, packet: bytes) -> bytes:
    """Another hop limit, type of service and flags; the header checksum is wrong afterwards."""
    hops, service = rng.choice(HOPS), rng.choice(SERVICES)
    if version_of(packet) == 6:
        word = 0x60000000 | service << 20
        return struct.pack("!I", word) + packet[4:7] + bytes([hops]) + packet[8:]
    flags = struct.pack("!H", rng.choice(FLAGS4))
    return packet[:1] + bytes([service]) + packet[2:6] + flags + bytes([hops]) + packet[9:]


def add_ipv4_options(rng: Random, packet: bytes) -> bytes:
    """The packet with one or two IPv4 options; the header checksum is wrong afterwards."""
    if version_of(packet) != 4 or packet[0] & 15 != 5:
        return packet
    options = b"".join(rng.sample(OPTIONS4, rng.choice([0, 1, 1, 2]))) + rng.choice(LAST_OPTIONS4)
    head = bytes([0x45 + len(options) // 4]) + packet[1:2] + struct.pack("!H", len(packet) + len(options)) + packet[4:20]
    return head + options + packet[20:]


def has_extensions(packet: bytes) -> bool:
    """Whether an IPv6 packet has extension headers.  Without XDP, the stateless stage drops them in pieces."""
    return version_of(packet) == 6 and packet[6] in EXTENSIONS


def add_ipv6_extensions(rng: Random, packet: bytes) -> bytes:
    """The packet with one to three extension headers, of 48 bytes at most; checksums are to be reckoned afterwards."""
    if version_of(packet) != 6:
        return packet
    kinds = sorted(rng.sample([HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING, DESTINATION_OPTIONS], rng.choice([1, 1, 2, 3])))
    nexts = [*kinds[1:], packet[6]]
    headers = b"".join(bytes([following]) + rng.choice(EXTENSIONS[kind]) for kind, following in zip(kinds, nexts, strict=True))
    length = struct.pack("!HB", len(packet) - IPV6 + len(headers), kinds[0])
    return packet[:4] + length + packet[7:IPV6] + headers + packet[IPV6:]


def option_kinds(options: bytes) -> Iterator[int]:
    """The kinds of IPv4 options, up to the end of the list (0) if it has one."""
    at = 0
    while at < len(options):
        yield options[at]
        if options[at] == 0:
            return
        at += 1 if options[at] == 1 else options[at + 1]


def number(packet: bytes, ident: int) -> bytes:
    """The packet with `ident` as its IPv4 identification or IPv6 flow label."""
    if version_of(packet) == 4:
        return fix_ipv4(with_word(packet, 4, ident))
    (word,) = struct.unpack_from("!I", packet)
    return struct.pack("!I", word & 0xFFF00000 | ident) + packet[4:]


def ident_of(packet: bytes) -> int:
    """The number that `number` wrote."""
    return int(
        struct.unpack_from("!H", packet, 4)[0] if version_of(packet) == 4 else struct.unpack_from("!I", packet)[0] & 0xFFFFF
    )


def piece_of(packet: bytes) -> int:
    """Offset and more-fragments bit, as IPv4 writes them; 0 for a whole packet."""
    if version_of(packet) == 4:
        return int(struct.unpack_from("!H", packet, 6)[0]) & 0x3FFF
    if packet[6] != 44 or len(packet) < 44:
        return 0
    (field,) = struct.unpack_from("!H", packet, 42)
    return field >> 3 | (field & 1) << 13


def cut_in_pieces(rng: Random, packet: bytes, ident: int) -> list[bytes]:
    """The packet in fragments: mostly all of them in order, sometimes out of order, incomplete, repeated or overlapping."""
    payload = packet[IPV6 if version_of(packet) == 6 else header_length(packet) :]
    if len(payload) < 24 or (version_of(packet) == 4 and packet[0] & 15 != 5):
        return [packet]
    cuts = sorted(rng.sample(range(8, len(payload), 8), rng.choice([1, 1, 2]) if len(payload) > 24 else 1))
    edges = [0, *cuts, len(payload)]
    spans = list(itertools.pairwise(edges))
    fate = rng.random()
    if fate < 0.15:
        rng.shuffle(spans)
    elif fate < 0.3:
        spans.remove(rng.choice(spans))
    elif fate < 0.4:
        spans.insert(rng.randrange(len(spans)), rng.choice(spans))
    elif fate < 0.5:
        start, end = spans[-1]
        spans.insert(rng.randrange(len(spans)), (max(start - 8, 8), end))
    return [piece(packet, payload, span, ident) for span in spans]


def piece(packet: bytes, payload: bytes, span: tuple[int, int], ident: int) -> bytes:
    """One fragment of the packet: payload[start:end]."""
    start, end = span
    part, more = payload[start:end], end < len(payload)
    if version_of(packet) == 4:
        head = packet[:2] + struct.pack("!HHH", 20 + len(part), ident, start >> 3 | more * MORE) + packet[8:20]
        return fix_ipv4(head + part)
    head = packet[:4] + struct.pack("!HB", 8 + len(part), 44) + packet[7:40]
    return head + struct.pack("!BBHI", packet[6], 0, start | more, ident) + part


def break_something(rng: Random, packet: bytes) -> bytes:
    """The packet with a transport header cut short, or with a length or offset that cannot be."""
    start, six = header_length(packet), version_of(packet) == 6
    kind = rng.randrange(4)
    if kind == 0:
        packet = packet[: start + rng.randrange(max(1, min(20, len(packet) - start)))]
        return with_word(packet, 4, len(packet) - 40) if six else fix_ipv4(with_word(packet, 2, len(packet)))
    if kind == 1 and protocol_of(packet) == 6 and len(packet) > start + 12:
        return fix_checksums(packet[: start + 12] + bytes([rng.choice([0x00, 0x40, 0xF0])]) + packet[start + 13 :])
    if kind == 2 and protocol_of(packet) == 17 and len(packet) > start + 8:
        return fix_checksums(with_word(packet, start + 4, rng.choice([0, 7, 60000])))
    if six:
        return with_word(packet, 4, len(packet))
    return fix_ipv4(rng.choice([with_word(packet, 2, len(packet) + 9), bytes([0x44]) + packet[1:], with_word(packet, 2, 19)]))
