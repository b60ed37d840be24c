"""Conversations of hosts that behave: TCP from handshake to close, UDP and ping with answers.

The network between them loses, repeats and swaps packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conntrack.segments import SACK_PERMITTED, WSCALE_7, Pair

if TYPE_CHECKING:
    from random import Random

MASK32 = 0xFFFFFFFF
LOSS, REPEAT, SWAP = 0.04, 0.04, 0.04


def orderly_tcp(rng: Random, pair: Pair) -> list[bytes]:
    """Handshake, data both ways, close by FINs or a reset."""
    options = rng.choice([b"", WSCALE_7, WSCALE_7 + SACK_PERMITTED])
    sent = [rng.randrange(1 << 32), rng.randrange(1 << 32)]
    packets: list[bytes] = []

    def send(who: int, flags: str, size: int = 0) -> None:
        sender = pair if who == 0 else pair.swapped()
        ack = sent[1 - who] if "A" in flags else 0
        packets.append(sender.tcp(flags, sent[who], ack, size, 20000, options if "S" in flags else b""))
        sent[who] = (sent[who] + size + ("S" in flags) + ("F" in flags)) & MASK32

    send(0, "S")
    send(1, "SA")
    send(0, "A")
    for _ in range(rng.randrange(1, 8)):
        who = rng.randrange(2)
        send(who, rng.choice(["A", "PA"]), rng.choice([1, 10, 500, 1400]))
        if rng.random() < 0.7:
            send(1 - who, "A")
    first = rng.randrange(2)
    if rng.random() < 0.2:
        send(first, "RA")
    else:
        send(first, "FA")
        send(1 - first, "A")
        send(1 - first, "FA")
        send(first, "A")
    return packets


def orderly_udp(rng: Random, pair: Pair) -> list[bytes]:
    """Questions and mostly answers."""
    packets = []
    for _ in range(rng.randrange(1, 6)):
        packets.append(pair.udp(rng.choice([0, 12, 100, 900])))
        if rng.random() < 0.8:
            packets.append(pair.swapped().udp(rng.choice([12, 100, 900])))
    return packets


def orderly_ping(rng: Random, pair: Pair) -> list[bytes]:
    """Echo requests with their replies."""
    ask, answer = (128, 129) if ":" in pair.client.address else (8, 0)
    ident, packets = rng.randrange(1 << 16), []
    for _ in range(rng.randrange(1, 5)):
        payload = bytes(rng.choice([0, 8, 56]))
        packets.append(pair.icmp(ask, 0, ident, payload))
        packets.append(pair.swapped().icmp(answer, 0, ident, payload))
    return packets


ORDERLY = (orderly_tcp, orderly_tcp, orderly_tcp, orderly_udp, orderly_ping)


def orderly_conversation(rng: Random, pair: Pair) -> list[bytes]:
    """One of the above, behind a network that loses, repeats and swaps packets."""
    packets: list[bytes] = []
    for packet in rng.choice(ORDERLY)(rng, pair):
        fate = rng.random()
        if fate < LOSS:
            continue
        packets.append(packet)
        if fate < LOSS + REPEAT:
            packets.append(packet)
        elif fate < LOSS + REPEAT + SWAP and len(packets) > 1:
            packets[-2:] = packets[:-3:-1]
    return packets
