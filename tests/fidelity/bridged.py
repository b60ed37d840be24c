"""What is different behind a bridge: a reject's resets go out past every hook, so they are known by what they look like."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tests.fidelity.compare import Difference, options_change, payload, put_together, unanswered
from tests.fidelity.headers import header_length, protocol_of, version_of
from tests.fidelity.witness import Name, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.fidelity.replayed import Replayed
    from tests.fidelity.traffic import Sent
    from tests.fidelity.witness import Story

TCP, ACK, RST, OPENS_OR_CLOSES = 6, 16, 4, 3
NOBODY = 0  # the number of a packet that is not from the traffic


class Reset(NamedTuple):
    """A TCP reset, by everything that a reject makes of the packet it answers."""

    source: bytes
    destination: bytes
    ports: bytes
    seq: int
    ack: int


def of_a_bridge(sent: Sequence[Sent]) -> list[Sent]:
    """The packets without those into whose options a router would write: a bridge does not, and replay knows no bridge."""
    return [
        each
        for each in sent
        if version_of(each.packet) == 6 or not options_change(each.packet[20 : header_length(each.packet)])
    ]


def take_resets(seen: Story) -> Counter[Reset]:
    """The resets among what came out, which then is only what was forwarded."""
    resets: Counter[Reset] = Counter()
    for name in [name for name in seen.out if name.ident == NOBODY]:
        for packet in seen.out.pop(name):
            resets[reset_in(packet)] += 1
    return resets


def credit(sent: Sequence[Sent], replayed: Replayed, seen: Story, resets: Counter[Reset]) -> Iterator[Difference]:
    """Give each reset to a packet that replay says is answered by one; those that are left nobody expected."""
    for name, packet in reset_worthy(sent, replayed):
        found, wanted = seen.packets.get(name), reset_for(packet)
        if found and resets[wanted] and not unanswered(packet):
            resets[wanted] -= 1
            found[0].replies.append("tcp_reset")
    for reset, count in resets.items():
        if count:
            yield Difference(-1, "no such answer", f"{count} times {reset}")


def reset_worthy(sent: Sequence[Sent], replayed: Replayed) -> Iterator[tuple[Name, bytes]]:
    """The packets, and the datagrams put together, that replay says are answered by a reset."""
    pieces: dict[Name, list[bytes]] = {}
    for each, answer in zip(sent, replayed.answers, strict=True):
        name = name_of(each.packet)
        if answer.reply == "tcp_reset" and name.piece:
            pieces.setdefault(name._replace(piece=0), []).append(each.packet)
        elif answer.reply == "tcp_reset":
            yield name, each.packet
    for name, found in pieces.items():
        yield name, put_together(found)


def reset_in(packet: bytes) -> Reset:
    """The reset that a packet is."""
    segment = payload(packet)
    place = slice(12, 20) if version_of(packet) == 4 else slice(8, 40)
    addresses = packet[place]
    half = len(addresses) // 2
    assert protocol_of(packet) == TCP, packet.hex()
    assert segment[13] & RST, packet.hex()
    seq, ack = int.from_bytes(segment[4:8], "big"), int.from_bytes(segment[8:12], "big")
    return Reset(addresses[:half], addresses[half:], segment[:4], seq, ack)


def reset_for(packet: bytes) -> Reset:
    """What answers this segment: its own acknowledgment, or an acknowledgment of all that it holds."""
    segment = payload(packet)
    place = slice(12, 20) if version_of(packet) == 4 else slice(8, 40)
    addresses = packet[place]
    half = len(addresses) // 2
    seq, ack, flags = int.from_bytes(segment[4:8], "big"), int.from_bytes(segment[8:12], "big"), segment[13]
    holds = len(segment) - (segment[12] >> 4) * 4 + (flags & OPENS_OR_CLOSES).bit_count()
    numbers = (ack, 0) if flags & ACK else (0, seq + holds & 0xFFFFFFFF)
    return Reset(addresses[half:], addresses[:half], segment[2:4] + segment[:2], *numbers)
