"""Generated packets for tests: valid ones of every kind the decoder knows, and mutilations of them.  Deterministic by seed."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

ADDRESSES4 = [bytes([10, 20, 0, n]) for n in (1, 2, 3)] + [bytes([198, 51, 100, n]) for n in (1, 7)] + [bytes([203, 0, 113, 9])]
ADDRESSES6 = [bytes.fromhex("20010db8002000000000000000000001"), bytes.fromhex("20010db8ffff00000000000000000007"),
              bytes.fromhex("fe800000000000000000000000000001"), bytes.fromhex("00000000000000000000ffff0a140001")]  # fmt: skip
PORTS = [0, 22, 53, 80, 443, 1024, 8080, 40000, 65535]


def ethernet(payload: bytes, ethertype: int, vlans: tuple[int, ...] = ()) -> bytes:
    tags = b"".join(struct.pack(">HH", kind, 100 + at) for at, kind in enumerate(vlans))
    return bytes(range(12)) + tags + struct.pack(">H", ethertype) + payload


def tcp(sport: int, dport: int, flags: int, payload: bytes = b"", options: bytes = b"", seq: int = 1, ack: int = 0) -> bytes:
    words = 5 + len(options) // 4
    return struct.pack(">HHIIBBHHH", sport, dport, seq, ack, words << 4, flags, 65535, 0, 0) + options + payload


def udp(sport: int, dport: int, payload: bytes = b"") -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def icmp(kind: int, code: int, ident: int = 1, seq: int = 1, payload: bytes = b"") -> bytes:
    return struct.pack(">BBHHH", kind, code, 0, ident, seq) + payload


def ipv4(
    payload: bytes,
    proto: int,
    src: bytes = ADDRESSES4[0],
    dst: bytes = ADDRESSES4[3],
    options: bytes = b"",
    frag: int = 0x4000,
    ttl: int = 64,
    tos: int = 0,
    ident: int = 7,
) -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack(">BBHHHBBH", 0x40 | words, tos, 4 * words + len(payload), ident, frag, ttl, proto, 0)
    return head + src + dst + options + payload


def ipv6(payload: bytes, proto: int, src: bytes = ADDRESSES6[0], dst: bytes = ADDRESSES6[1], hops: int = 64) -> bytes:
    return struct.pack(">IHBB", 0x60000000, len(payload), proto, hops) + src + dst + payload


def extension(following: int, words: int = 0) -> bytes:
    return bytes([following, words]) + bytes(6 + 8 * words)


def fragment_header(following: int, offset: int, more: int, ident: int = 9) -> bytes:
    return struct.pack(">BBHI", following, 0, offset << 3 | more, ident)


def transport(rng: random.Random, version: int) -> tuple[int, bytes]:
    """A protocol number and a transport header with some payload."""
    body = rng.randbytes(rng.choice([0, 0, 1, 8, 40]))
    ports = rng.choice(PORTS), rng.choice(PORTS)
    kind = rng.randrange(9)
    if kind <= 3:
        options = rng.choice([b"", b"", b"\x02\x04\x05\xb4", b"\x01\x01\x05\x0a" + bytes(8)])
        return 6, tcp(*ports, rng.choice([2, 18, 16, 17, 4, 20, 24, 0, 3, 63, 0xC2]), body, options)
    if kind <= 5:
        return rng.choice([17, 17, 136]), udp(*ports, body)
    if kind == 6:
        number = 1 if version == 4 else 58
        return number, icmp(rng.choice([0, 3, 5, 8, 11, 13, 128, 129, 135, 1, 2]), rng.choice([0, 1, 3]), payload=body)
    if kind == 7:
        return 132, struct.pack(">HHII", *ports, 77, 0) + b"\x01\x00\x00\x04" + body
    flags = rng.choice([0, 0x2000, 0xB000])
    head = struct.pack(">HH", flags, rng.choice([0x0800, 0x86DD, 0x6558])) + bytes(4 * (flags >> 12).bit_count())
    return rng.choice([47, 47, 50, 51, 4, 41, 2, 89]), head + body


def packet(rng: random.Random) -> bytes:
    """One valid Ethernet frame."""
    vlans = rng.choice([(), (), (), (0x8100,), (0x88A8, 0x8100)])
    if rng.random() < 0.03:
        return ethernet(rng.randbytes(28), rng.choice([0x0806, 0x88CC, 0x0026]), vlans)
    if rng.random() < 0.6:
        proto, body = transport(rng, 4)
        options = rng.choice([b"", b"", b"", b"\x01\x01\x01\x00", b"\x07\x07\x04\x00\x00\x00\x00\x00"])
        frag = rng.choice([0, 0x4000, 0x4000, 0x4000, 0x2000, 0x2010, 0x0010, 0x1FFF])
        addresses = rng.choice(ADDRESSES4), rng.choice(ADDRESSES4)
        return ethernet(ipv4(body, proto, *addresses, options, frag, rng.choice([1, 64]), rng.choice([0, 0xB8])), 0x0800, vlans)
    proto, body = transport(rng, 6)
    for _ in range(rng.choice([0, 0, 0, 1, 2, 5, 9])):
        kind = rng.choice([0, 43, 60, 44, 51, 135])
        if kind == 44:
            body = fragment_header(proto, rng.choice([0, 0, 16, 8191]), rng.choice([0, 1])) + body
        elif kind == 51:
            body = bytes([proto, 4]) + bytes(22) + body
        else:
            body = extension(proto, rng.choice([0, 0, 1, 3])) + body
        proto = kind
    return ethernet(ipv6(body, proto, rng.choice(ADDRESSES6), rng.choice(ADDRESSES6)), 0x86DD, vlans)


def mutilate(frame: bytes, rng: random.Random) -> bytes:
    """Damage a frame: cut it, pad it, flip bytes in its headers, or overwrite a length."""
    kind = rng.randrange(4)
    if kind == 0:
        return frame[: rng.randrange(14, len(frame) + 1)]
    if kind == 1:
        return frame + bytes(rng.randrange(1, 30))
    data = bytearray(frame)
    if kind == 2:
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(12, min(len(data), 80))] = rng.randrange(256)
    else:
        data[rng.randrange(12, len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def frames(seed: int, count: int, share_mutilated: float = 0.4) -> Iterator[bytes]:
    """`count` frames of at least 14 bytes, `share_mutilated` of them damaged."""
    rng = random.Random(seed)
    for _ in range(count):
        frame = packet(rng)
        yield mutilate(frame, rng) if rng.random() < share_mutilated else frame
