"""A conversation: packets in words, one after the other, with the numbers that a real conversation would have.

A plain handshake (`S`, `< S.`, `> .`) gets sequence and acknowledgement numbers that a tracker accepts; what the words say
themselves stands, and later packets go on from it.  Numbers are the same every time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from twinwall.engine.spoken import Endpoint, SpokenPacket
from twinwall.engine.spoken_parser import parse_packet
from twinwall.path.layout import ACK, FIN, RST, SYN, TCP

FIRST_SEQ, ANSWER_SEQ = 1000, 5000  # of the side that speaks first, of the other
NEXT_CONNECTION = 1_000_000  # how far a later SYN of the same ports starts above the last one
MASK32 = 0xFFFFFFFF


@dataclass(slots=True)
class _Side:
    """What one side of a TCP connection has sent: where it began, what comes next, and whether that was a bare SYN."""

    start: int
    following: int
    only_syn: bool = False


class Conversation:
    """Understands packets one by one.  `say` returns each as it goes onto the wire."""

    def __init__(self) -> None:
        self._opening: SpokenPacket | None = None
        self._sides: dict[tuple[Endpoint, Endpoint], _Side] = {}

    def say(self, text: str) -> SpokenPacket:
        """The next packet, complete.  Raises `SpokenError`; the conversation then stands as before."""
        packet = parse_packet(text, self._opening)
        if text.lstrip()[:1] not in ("<", ">"):
            self._opening = packet
        return self._numbered(packet) if packet.protocol == TCP else packet

    def _numbered(self, packet: SpokenPacket) -> SpokenPacket:
        """A TCP segment with its numbers."""
        flow = packet.source, packet.destination
        side, other = self._sides.get(flow), self._sides.get(flow[::-1])
        acknowledges = packet.flags & ACK
        seq = packet.seq if packet.seq is not None else self._next(packet, side, other)
        ack = packet.ack
        if ack is None:
            ack = (other.following if other else ANSWER_SEQ + 1) if acknowledges else 0
        ends = packet.length + bool(packet.flags & SYN) + bool(packet.flags & FIN)
        if not packet.flags & RST and not (packet.fragment and packet.fragment.offset):
            self._sides[flow] = _Side(seq, (seq + ends) & MASK32, only_syn=bool(packet.flags & SYN))
        return replace(packet, seq=seq, ack=ack)

    @staticmethod
    def _next(packet: SpokenPacket, side: _Side | None, other: _Side | None) -> int:
        start = FIRST_SEQ if other is None else ANSWER_SEQ
        if packet.flags & SYN:
            if side is None:
                return start
            return side.start if side.only_syn else (side.following + NEXT_CONNECTION) & MASK32
        if side is not None:
            return side.following
        # A reset of a side that never spoke answers a segment it knows nothing of; else the start was not seen.
        return 0 if packet.flags & RST and packet.flags & ACK else start + 1
