"""Packets in words: what a packet is (`SpokenPacket`), how it is said (`str`), and how it is read (`parse_packet`).

    packet    = protocol endpoint ">" endpoint { item }      written out
              | ">" { item }                                 the next packet the way the conversation's last full one went
              | "<" { item }                                 a packet the other way
    protocol  = "tcp" | "udp" | "udplite" | "sctp" | "icmp" | "icmp6" | "gre" | "esp" | "ah" | "ip" NUMBER
    endpoint  = IPV4 [":" PORT] | "[" IPV6 "]" [":" PORT] | IPV6        a port where the protocol has ports
    item      = FLAGS                 tcp: tcpdump's letters F S R P . U E W (also A and C), or "none"
              | MESSAGE | TYPE "/" CODE   icmp: echo-request, host-unreachable …
              | CHUNK | "chunk" N     sctp: init, init-ack, cookie-echo, data …
              | "for" "(" packet ")"  icmp: the packet that an error quotes
              | "len" N               payload bytes           | "ttl" N | "tos" N | "df"
              | "seq" N | "ack" N | "win" N                   tcp; seq also icmp
              | "id" N                icmp: the identifier; else the IP identification ("ipid" N for both)
              | "key" N               gre
              | "frag" OFFSET ["+"]   a piece of a datagram: its offset in bytes; "+": more follow
              | "iface" NAME | "vlan" N | "after" DURATION    30s, 500ms, 2m …: since the packet before; 1ms if unsaid

Sequence numbers and the like that a packet leaves open are None; `engine.conversation` continues them.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from twinwall.engine.vocabulary import chunk_word, duration_word, flags_word, message_word, protocol_word
from twinwall.path.layout import ICMP, ICMP6, SCTP, TCP

Host = IPv4Address | IPv6Address

MILLISECOND = 1_000_000
EXAMPLE = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a packet; `port` is None for protocols without ports."""

    host: Host
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return str(self.host)
        return f"[{self.host}]:{self.port}" if self.host.version == 6 else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Fragment:
    """Which piece of a datagram: its offset in bytes, a multiple of 8, and whether more follow."""

    offset: int
    more: bool

    def __str__(self) -> str:
        return f"frag {self.offset}{'+' if self.more else ''}"


@dataclass(frozen=True, slots=True)
class SpokenPacket:
    """A packet as somebody says it; None: left open, or not of this protocol."""

    protocol: int
    source: Endpoint
    destination: Endpoint
    flags: int = 0  # TCP
    message: tuple[int, int] | None = None  # ICMP: type and code
    chunk: int | None = None  # SCTP
    quote: SpokenPacket | None = None  # of an ICMP error
    length: int = 0  # payload, bytes
    ttl: int = 64
    tos: int = 0
    dont_fragment: bool = False
    seq: int | None = None
    ack: int | None = None
    window: int | None = None
    ident: int | None = None  # ICMP
    ip_ident: int | None = None
    key: int | None = None  # GRE
    fragment: Fragment | None = None
    interface: str = ""
    vlans: tuple[int, ...] = ()
    after: int = MILLISECOND  # nanoseconds since the packet before

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.source.host.version

    def __str__(self) -> str:
        items = (f"{self.headline()}", *self._own(), *self._numbers(), *self._place())
        return " ".join(item for item in items if item)

    def headline(self) -> str:
        """Protocol and endpoints."""
        return f"{protocol_word(self.protocol)} {self.source} > {self.destination}"

    def _own(self) -> tuple[str, ...]:
        if self.protocol == TCP:
            return (flags_word(self.flags),)
        if self.protocol == SCTP and self.chunk is not None:
            return (chunk_word(self.chunk),)
        if self.protocol in (ICMP, ICMP6) and self.message is not None:
            return message_word(self.protocol, self.message), f"for ({self.quote})" if self.quote else ""
        return ()

    def _numbers(self) -> tuple[str, ...]:
        icmp = self.protocol in (ICMP, ICMP6)
        said = (
            ("len", self.length or None), ("seq", self.seq), ("ack", self.ack), ("win", self.window),
            ("id", self.ident), ("ipid" if icmp else "id", self.ip_ident), ("key", self.key),
            ("ttl", None if self.ttl == 64 else self.ttl), ("tos", self.tos or None),
        )  # fmt: skip
        return tuple(f"{word} {value}" for word, value in said if value is not None)

    def _place(self) -> tuple[str, ...]:
        return (
            "df" if self.dont_fragment else "",
            str(self.fragment) if self.fragment else "",
            f"iface {self.interface}" if self.interface else "",
            *(f"vlan {number}" for number in self.vlans),
            "" if self.after == MILLISECOND else f"after {duration_word(self.after)}",
        )
