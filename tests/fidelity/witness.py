"""What the gateway did with each packet, put together from the messages and the frames that came out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.fidelity.gateway import ANSWER, ANSWER_HOPS, LABEL
from tests.fidelity.headers import header_length, ident_of, piece_of, protocol_of, version_of
from tests.fidelity.replayed import Answer
from twinwall.render.marks import RULE_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinwall.live.nflog import LoggedPacket

VERDICT = "tw "  # how the ruleset's witness begins; then the reason
REPORT = "twinwall"  # how its log statements begin
MULTICAST = 0xFF  # how such addresses begin; no packet of the traffic has one
REPLIES = {(4, 6): "tcp_reset", (6, 6): "tcp_reset", (4, 1): "icmp_prohibited", (6, 58): "icmpv6_prohibited"}


class OutOfOrderError(Exception):
    """The gateway did not handle the packets in the order in which they were sent: the trial says nothing."""


class Name(NamedTuple):
    """What tells packets apart: the IP version, the number, and which piece of a datagram (0: whole)."""

    version: int
    ident: int
    piece: int


def name_of(packet: bytes) -> Name:
    return Name(version_of(packet), ident_of(packet), piece_of(packet))


@dataclass
class Seen:
    """One packet on its way through the stateful hook."""

    label: str
    reason: str = ""
    rule: int | None = None
    alerts: list[int] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)


@dataclass
class Story:
    """Everything that was seen of a trial."""

    packets: dict[Name, list[Seen]]
    out: dict[Name, list[bytes]]  # IP packets that came out, the gateway's own answers not among them

    def answer(self, name: Name) -> Answer | None:
        """The kernel's answer about a packet; None if nothing at all was seen of it."""
        seen = self.packets.get(name, [])
        if not seen:
            return None
        first = seen[0]
        verdict = "pass" if self.out.get(name) else "reject" if first.replies else "drop"
        return Answer(verdict, first.label, first.reason, first.rule, tuple(first.alerts), " and ".join(first.replies))


def story(messages: Sequence[LoggedPacket], frames: dict[str, list[bytes]]) -> Story:
    """Sort messages and frames by packet.  Raises `OutOfOrderError` where messages do not stand together by packet."""
    packets: dict[Name, list[Seen]] = defaultdict(list)
    now: Name | None = None
    for message in messages:
        if message.prefix == ANSWER:
            if now is None:
                raise OutOfOrderError("the gateway answered before it saw a packet")
            packets[now][-1].replies.append(reply_of(message.packet))
            continue
        name = name_of(message.packet)
        if message.prefix.startswith(LABEL):
            packets[name].append(Seen(message.prefix.removeprefix(LABEL)))
            now = name
        elif name != now:
            raise OutOfOrderError(f"{message.prefix!r} is about {name}, amid messages about {now}")
        else:
            note(packets[name][-1], message)
    out: dict[Name, list[bytes]] = defaultdict(list)
    for packet in forwarded(frames):
        out[name_of(packet)].append(packet)
    return Story(dict(packets), dict(out))


def note(seen: Seen, message: LoggedPacket) -> None:
    """What one message of the ruleset says about its packet."""
    rule = (message.mark & RULE_NUMBER) - 1
    if message.prefix.startswith(VERDICT):
        seen.reason, seen.rule = message.prefix.removeprefix(VERDICT).lower(), None if rule < 0 else rule
    elif message.prefix.startswith(REPORT):
        seen.alerts.append(rule)
    else:
        raise ValueError(f"a message that nobody knows: {message.prefix!r}")


def forwarded(frames: dict[str, list[bytes]]) -> Iterator[bytes]:
    """The IP packets that came out, without those that the gateway made: its answers, and what every IPv6 host says."""
    for received in frames.values():
        for frame in received:
            packet = frame[14:]
            hops = packet[8] if version_of(packet) == 4 else packet[7]
            if hops != ANSWER_HOPS and not is_host_talk(packet):
                yield packet


def is_host_talk(packet: bytes) -> bool:
    """Whether this is what any IPv6 host says of itself: from a link-local address, or about multicast groups."""
    return version_of(packet) == 6 and (packet[8:10] == b"\xfe\x80" or packet[24] == MULTICAST)


def reply_of(packet: bytes) -> str:
    """The name of an answer of the gateway, as `RejectReply` spells it."""
    kind, start = protocol_of(packet), header_length(packet)
    name = REPLIES.get((version_of(packet), kind))
    rest = packet[start:]
    fits = {
        "tcp_reset": lambda: rest[13] & 4,
        "icmp_prohibited": lambda: rest[:2] == b"\x03\x0d",
        "icmpv6_prohibited": lambda: rest[:2] == b"\x01\x01",
    }
    return name if name is not None and fits[name]() else f"an answer of protocol {kind}: {rest[:8].hex()}"
