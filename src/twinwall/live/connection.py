"""One connection as Linux's tracker knows it: what ctnetlink says of it, decoded.

Attributes: <linux/netfilter/nfnetlink_conntrack.h>; everything in them is big-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from ipaddress import ip_address

from twinwall.conntrack.protocols.sctp import SctpState
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.engine.spoken import Endpoint
from twinwall.engine.vocabulary import PORTED, protocol_word
from twinwall.live.netlink import attribute, attributes, nested
from twinwall.path.layout import GRE, ICMP, ICMP6, SCTP, TCP
from twinwall.render.marks import (
    CT_DROP,
    CT_FAST_ORIGINAL,
    CT_FAST_REPLY,
    CT_FAST_REPLY_NO_RULE,
    CT_GENERATION,
    CT_GENERATION_SHIFT,
    CT_PASS,
    CT_RULE,
)


class Attribute(IntEnum):
    """CTA_*: what ctnetlink says of a connection."""

    ORIGINAL = 1
    REPLY = 2
    STATUS = 3
    PROTOCOL_INFO = 4
    TIMEOUT = 7
    MARK = 8
    ORIGINAL_COUNTERS = 9
    REPLY_COUNTERS = 10
    ID = 12
    ZONE = 18
    TIMESTAMP = 20
    MARK_MASK = 21
    LABELS = 22


class Status(IntFlag):
    """IPS_*: what happened to the connection so far."""

    EXPECTED = 0x1
    SEEN_REPLY = 0x2
    ASSURED = 0x4
    CONFIRMED = 0x8
    SOURCE_NAT = 0x10
    DESTINATION_NAT = 0x20
    DYING = 0x200
    OFFLOAD = 0x4000


TUPLE_ADDRESSES, TUPLE_PROTOCOL, TUPLE_ZONE = 1, 2, 3
V4_SOURCE, V4_DESTINATION, V6_SOURCE, V6_DESTINATION = 1, 2, 3, 4
NUMBER, SOURCE_PORT, DESTINATION_PORT = 1, 2, 3
ICMP_KINDS = {ICMP: (4, 5, 6), ICMP6: (7, 8, 9)}  # identifier, type, code
WITH_PORTS = PORTED | {GRE, 33}  # GRE's keys and DCCP's ports go by the same attributes
STATES: dict[int, tuple[int, type[IntEnum]]] = {TCP: (1, TcpState), SCTP: (3, SctpState)}  # kind of CTA_PROTOINFO, states


@dataclass(frozen=True, slots=True)
class FiveTuple:
    """One direction's ends.  Addresses as in a packet; of ICMP the ports are the identifier, and type << 8 | code."""

    source: bytes
    destination: bytes
    protocol: int
    source_port: int = 0
    destination_port: int = 0

    @property
    def version(self) -> int:
        """4 or 6."""
        return 4 if len(self.source) == 4 else 6

    @property
    def client(self) -> Endpoint:
        """Where it comes from, to print."""
        return self._endpoint(self.source, self.source_port)

    @property
    def server(self) -> Endpoint:
        """Where it goes to, to print."""
        return self._endpoint(self.destination, self.destination_port)

    def _endpoint(self, address: bytes, port: int) -> Endpoint:
        return Endpoint(ip_address(address), port if self.protocol in PORTED else None)

    def reversed(self) -> FiveTuple:
        """The other direction, without translation; of ICMP the ends only."""
        if self.protocol in ICMP_KINDS:
            return FiveTuple(self.destination, self.source, self.protocol, self.source_port, self.destination_port)
        return FiveTuple(self.destination, self.source, self.protocol, self.destination_port, self.source_port)

    def encode(self) -> bytes:
        """The contents of a CTA_TUPLE attribute."""
        kinds = (V4_SOURCE, V4_DESTINATION) if self.version == 4 else (V6_SOURCE, V6_DESTINATION)
        ends = nested(TUPLE_ADDRESSES, attribute(kinds[0], self.source), attribute(kinds[1], self.destination))
        return ends + nested(TUPLE_PROTOCOL, attribute(NUMBER, bytes([self.protocol])), *self._ports())

    def _ports(self) -> tuple[bytes, ...]:
        source, destination = self.source_port.to_bytes(2), self.destination_port.to_bytes(2)
        if self.protocol in ICMP_KINDS:
            ident, kind, code = ICMP_KINDS[self.protocol]
            return attribute(ident, source), attribute(kind, destination[:1]), attribute(code, destination[1:])
        if self.protocol in WITH_PORTS:
            return attribute(SOURCE_PORT, source), attribute(DESTINATION_PORT, destination)
        return ()


@dataclass(frozen=True, slots=True)
class Counters:
    """What one direction carried; bytes of IP."""

    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ConntrackEntry:
    """A connection.  None: the kernel does not say (accounting or timestamps are off, or the connection is gone)."""

    original: FiveTuple
    reply: FiveTuple
    status: Status
    state: str = ""  # the protocol's own, by Linux's names; empty for protocols that have none
    timeout: int | None = None  # seconds left
    mark: int = 0
    original_counters: Counters | None = None
    reply_counters: Counters | None = None
    start: int | None = None  # nanoseconds since 1970
    stop: int | None = None
    ident: int = 0  # tells connections with the same ends apart
    zone: int = 0  # of both directions
    original_zone: int = 0  # of the original direction alone

    @property
    def protocol(self) -> int:
        """The IP protocol."""
        return self.original.protocol

    @property
    def seen(self) -> FiveTuple:
        """The original direction as rules see it: before source translation, after destination translation."""
        sent, back = self.original, self.reply
        if self.protocol in ICMP_KINDS:
            return FiveTuple(sent.source, back.source, sent.protocol, sent.source_port, sent.destination_port)
        return FiveTuple(sent.source, back.source, sent.protocol, sent.source_port, back.source_port)

    @property
    def translated(self) -> bool:
        """Whether any end of it is translated."""
        return bool(self.status & (Status.SOURCE_NAT | Status.DESTINATION_NAT))

    @property
    def generation(self) -> int:
        """Which policy wrote its mark, 1-7; 0: none of ours."""
        return (self.mark & CT_GENERATION) >> CT_GENERATION_SHIFT

    @property
    def rule_number(self) -> int:
        """The rule that its mark speaks of (render.marks.RULE_NUMBER); 0: none."""
        return self.mark & CT_RULE if self.generation else 0

    @property
    def verdict(self) -> str:
        """What its mark says of the whole flow: pass, drop, or nothing yet."""
        if not self.generation or not self.mark & (CT_PASS | CT_DROP):
            return ""
        return "pass" if self.mark & CT_PASS else "drop"

    @property
    def passing(self) -> bool:
        """Whether packets of it pass without being asked again: the whole flow, or an established direction of it."""
        return bool(self.generation and self.mark & (CT_PASS | CT_FAST_ORIGINAL | CT_FAST_REPLY | CT_FAST_REPLY_NO_RULE))

    def __str__(self) -> str:
        arrow = f"{protocol_word(self.protocol)} {self.seen.client} > {self.seen.server}"
        return f"{arrow} {self.state}".rstrip()


def decode_entry(payload: bytes) -> ConntrackEntry | None:
    """The connection that a ctnetlink message speaks of; None if it names none."""
    found = attributes(payload, 4)
    original, reply = (decode_tuple(found.get(kind, b"")) for kind in (Attribute.ORIGINAL, Attribute.REPLY))
    if original is None or reply is None:
        return None
    times = attributes(found.get(Attribute.TIMESTAMP, b""))
    return ConntrackEntry(
        original,
        reply,
        Status(_number(found.get(Attribute.STATUS)) or 0),
        _state(original.protocol, found.get(Attribute.PROTOCOL_INFO)),
        _number(found.get(Attribute.TIMEOUT)),
        _number(found.get(Attribute.MARK)) or 0,
        _counters(found.get(Attribute.ORIGINAL_COUNTERS)),
        _counters(found.get(Attribute.REPLY_COUNTERS)),
        _number(times.get(1)),
        _number(times.get(2)),
        _number(found.get(Attribute.ID)) or 0,
        _number(found.get(Attribute.ZONE)) or 0,
        _number(attributes(found.get(Attribute.ORIGINAL, b"")).get(TUPLE_ZONE)) or 0,
    )


def decode_tuple(data: bytes) -> FiveTuple | None:
    """The contents of a CTA_TUPLE attribute; None if an address is missing."""
    parts = attributes(data)
    ends = attributes(parts.get(TUPLE_ADDRESSES, b""))
    said = attributes(parts.get(TUPLE_PROTOCOL, b""))
    source, destination = ends.get(V4_SOURCE, ends.get(V6_SOURCE)), ends.get(V4_DESTINATION, ends.get(V6_DESTINATION))
    if source is None or destination is None:
        return None
    protocol = _number(said.get(NUMBER)) or 0
    if protocol in ICMP_KINDS:
        ident, kind, code = (_number(said.get(each)) or 0 for each in ICMP_KINDS[protocol])
        return FiveTuple(source, destination, protocol, ident, kind << 8 | code)
    ports = (_number(said.get(each)) or 0 for each in (SOURCE_PORT, DESTINATION_PORT))
    return FiveTuple(source, destination, protocol, *ports)


def _number(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value)


def _state(protocol: int, info: bytes | None) -> str:
    if info is None or protocol not in STATES:
        return ""
    kind, states = STATES[protocol]
    number = _number(attributes(attributes(info).get(kind, b"")).get(1))
    if number is None:
        return ""
    return states(number).name if number in states._value2member_map_ else str(number)


def _counters(value: bytes | None) -> Counters | None:
    if value is None:
        return None
    found = attributes(value)
    return Counters(_number(found.get(1)) or 0, _number(found.get(2)) or 0)


def family(tuple_: FiveTuple) -> bytes:
    """`struct nfgenmsg` of a request about these ends."""
    return struct.pack("=BBH", 2 if tuple_.version == 4 else 10, 0, 0)
