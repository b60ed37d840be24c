"""Generated conversations: mostly sensible, with loss, repetition, reordering, wrong numbers and nonsense mixed in.

Deterministic by the random generator handed in.  Each function gives the IP packets of one conversation, in order.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING

from tests.conntrack.segments import SACK_PERMITTED, WSCALE_7, End, Pair, chunk, icmp, init_chunk, ip

if TYPE_CHECKING:
    from random import Random

MASK32 = 0xFFFFFFFF
OFFSETS = [1, -1, 10, -10, 1000, -1000, 66000, -66000, 70000, -70000, 8_400_000, 1 << 31]
OPENINGS = {
    "handshake": [(0, "S"), (1, "SA"), (0, "A")],
    "simultaneous": [(0, "S"), (1, "S"), (0, "SA"), (1, "SA"), (0, "A")],
    "midstream": [(0, "A")],
    "refused": [(0, "S"), (1, "RA")],
    "nothing": [],
}
ANY_FLAGS = ["A", "A", "A", "PA", "PA", "FA", "R", "RA", "S", "SA", "", "F", "SF", "AU", "SR", "SW"]
USUAL_FLAGS = ["A", "PA", "A", "A", "FA"]
SYN_OPTIONS = [b"", WSCALE_7, SACK_PERMITTED, WSCALE_7 + SACK_PERMITTED, b"\x03\x03\x0f\x00", b"\x03\x04\x07\x00"]


def ends(rng: Random, port: int) -> Pair:
    six = rng.random() < 0.3
    client = End("2001:db8::1" if six else "10.0.0.1", rng.randrange(1024, 65535))
    return Pair(client, End("2001:db8:1::1" if six else "10.1.0.1", port))


def segment_options(rng: Random, flags: str, ack: int) -> bytes:
    if "S" in flags:
        return rng.choice(SYN_OPTIONS)
    if rng.random() < 0.8:
        return b""
    right = (ack + rng.choice([20, 1000, 100_000])) & MASK32
    sack = b"\x01\x01\x05\x0a" + struct.pack("!II", ack, right)
    return rng.choice([b"\x01\x01\x08\x0a" + bytes(8), sack, b"\x05\x00\x00\x00"])


def tcp_conversation(rng: Random, pair: Pair | None = None) -> list[bytes]:
    """A TCP connection, or what is left of one."""
    pair = pair or ends(rng, 443)
    sent = [rng.choice([0, 1000, (1 << 32) - 50, rng.randrange(1 << 32)]), rng.randrange(1 << 32)]
    windows = [rng.choice([0, 100, 1000, 65535]) for _ in sent]
    plan = list(OPENINGS[rng.choice(["handshake", "handshake", "handshake", *OPENINGS])])
    packets: list[bytes] = []
    for _ in range(rng.randrange(3, 25)):
        who, flags = plan.pop(0) if plan else (rng.randrange(2), rng.choice(rng.choice([ANY_FLAGS, USUAL_FLAGS])))
        seq, ack = sent[who], sent[1 - who] if "A" in flags else 0
        size = 0 if "S" in flags or "R" in flags else rng.choice([0, 0, 10, 1000, 1400])
        fate = rng.random()
        if fate < 0.06:
            seq = (seq + rng.choice(OFFSETS)) & MASK32
        elif fate < 0.12:
            ack = (ack + rng.choice(OFFSETS)) & MASK32
        elif fate < 0.16:
            seq, ack = rng.choice([(0, 0), (0, ack), (seq, 0)])
        elif fate < 0.26 and packets:
            packets.append(rng.choice(packets))
            continue
        elif fate < 0.95:
            sent[who] = (seq + size + ("S" in flags) + ("F" in flags)) & MASK32
        window = rng.choice([windows[who], windows[who], 0, 1, 65535])
        sender = pair if who == 0 else pair.swapped()
        packets.append(sender.tcp(flags, seq, ack, size, window, segment_options(rng, flags, ack)))
    return packets


FEW_NUMBERS = [0, 1, 100, 101, 151, 500, 501, 551]


def clashing_conversation(rng: Random, pair: Pair | None = None) -> list[bytes]:
    """Segments whose numbers come from a few, so that they meet what an earlier one said: what is remembered of it decides."""
    pair = pair or ends(rng, 443)
    packets = [pair.tcp("S", 100)]
    for _ in range(rng.randrange(2, 10)):
        flags = rng.choice(["S", "SA", "A", "A", "RA", "RA", "R", "FA"])
        size = rng.choice([0, 0, 50]) if flags in {"A", "FA"} else 0
        sender = rng.choice([pair, pair.swapped()])
        packets.append(sender.tcp(flags, rng.choice(FEW_NUMBERS), rng.choice(FEW_NUMBERS) if "A" in flags else 0, size))
    return packets


CHUNKS = [0, 0, 0, 3, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 14, 4, 5, 12, 130]


def sctp_conversation(rng: Random, pair: Pair | None = None) -> list[bytes]:
    """An SCTP association: handshake, crossing INITs or anything, right and wrong tags."""
    pair = pair or Pair(End("10.0.0.1", rng.randrange(1024, 65535)), End("10.1.0.1", 36412))
    one, two = rng.randrange(1, 1 << 32), rng.randrange(1, 1 << 32)
    tags = [one, two, 0, 7]
    init, answer = init_chunk(1, one), init_chunk(2, two)
    openings = [
        [(0, 0, init), (1, one, answer), (0, two, chunk(10, 0, b"cook")), (1, one, chunk(11))],
        [(0, 0, init), (1, 0, init_chunk(1, two)), (0, two, init_chunk(2, one)), (1, one, answer), (0, two, chunk(10))],
        [],
    ]
    plan = list(rng.choice(openings))
    packets = []
    for _ in range(rng.randrange(3, 22)):
        if plan and rng.random() < 0.9:
            who, tag, first = plan.pop(0)
            chunks = [first]
        else:
            who = rng.randrange(2)
            kind = rng.choice(CHUNKS)
            tag = 0 if kind == 1 and rng.random() < 0.7 else rng.choice([tags[1 - who]] * 5 + tags)
            chunks = [any_chunk(rng, kind, tags)]
            while rng.random() < 0.25:
                chunks.append(any_chunk(rng, rng.choice([0, 0, 3, 4, 5, 7, 11, 10, 1]), tags))
            if rng.random() < 0.05:
                chunks = [rng.choice([bytes(4), b"\x01\x00\x00\x14\x00\x00"])]
        packets.append((pair if who == 0 else pair.swapped()).sctp(tag, *chunks))
    return packets


def any_chunk(rng: Random, kind: int, tags: list[int]) -> bytes:
    if kind in (1, 2):
        return init_chunk(kind, rng.choice(tags))
    return chunk(kind, rng.choice([0, 0, 0, 1]), rng.choice([b"", b"abcdefg", bytes(16)]))


QUERIES4 = [8, 0, 8, 0, 13, 14, 15, 16, 17, 18, 9, 10, 19, 30, 37]
QUERIES6 = [128, 129, 139, 140, 128, 129, 133, 135, 143, 144, 151, 137, 200]
GRE_PACKETS = [
    b"\0\0\x08\0" + bytes(20),
    b"\x20\0\x08\0\0\0\0\x09" + bytes(20),
    b"\x30\x01\x88\x0b\0\0\0\x07" + bytes(8),
    b"\x30\x81\x88\x0b\0\0\0\x08" + bytes(8),
    b"\x20\x01\x88\x0c\0\0\0\x08" + bytes(8),
]


def mixed_conversation(rng: Random, pair: Pair | None = None) -> list[bytes]:
    """UDP, UDP-Lite, ICMP queries and errors, GRE and others between two hosts."""
    six = rng.random() < 0.4
    client = End("2001:db8::1" if six else "10.0.0.1", rng.randrange(0, 5))
    pair = pair or Pair(client, End("2001:db8:1::1" if six else "10.1.0.1", rng.choice([0, 53])))
    six = ":" in pair.client.address
    idents = [rng.randrange(65536) for _ in range(2)]
    packets: list[bytes] = []
    for _ in range(rng.randrange(3, 25)):
        sender = pair if rng.randrange(2) == 0 else pair.swapped()
        addresses = (sender.client.address, sender.server.address)
        kind = rng.random()
        if kind < 0.25:
            packets.append(sender.udp(rng.choice([0, 4]), rng.choice([17, 17, 136])))
        elif kind < 0.5:
            packets.append(sender.icmp(rng.choice(QUERIES6 if six else QUERIES4), rng.choice([0, 0, 0, 1]), rng.choice(idents)))
        elif kind < 0.6:
            packets.append(ip(*addresses, rng.choice([50, 253, 89, 2, 59]), b"abcdefgh" * 2))
        elif kind < 0.7:
            packets.append(ip(*addresses, 47, rng.choice(GRE_PACKETS)))
        elif kind < 0.75:
            packets.append(sender.tcp(rng.choice(["S", "SA", "A"]), rng.randrange(3), rng.randrange(3)))
        elif packets:
            packets.append(error_about(rng, rng.choice(packets), six))
    return packets


def error_about(rng: Random, quoted: bytes, six: bool) -> bytes:
    """An ICMP error about a packet, whole or cut short, from its destination or a router, mostly to its sender."""
    place = (slice(8, 24), slice(24, 40)) if six else (slice(12, 16), slice(16, 20))
    source, destination = (str(ip_address(quoted[part])) for part in place)
    head = 40 if six else 20
    size = rng.choice([len(quoted), len(quoted), head + 8, head + 4, head + 3, 20, 10])
    to = rng.choice([source, source, source, destination, "2001:db8:5::5" if six else "10.5.5.5"])
    sender = rng.choice([destination, "2001:db8:7::9" if six else "10.7.0.9"])
    kind = rng.choice([1, 2, 3, 4, 100, 127] if six else [3, 3, 11, 4, 5, 12])
    return ip(sender, to, 58 if six else 1, icmp(kind, rng.randrange(3), 0, 0, quoted[:size]))


CONVERSATIONS = {
    "tcp": tcp_conversation,
    "clashing": clashing_conversation,
    "sctp": sctp_conversation,
    "mixed": mixed_conversation,
}
