"""Traffic for a trial: generated conversations between few hosts, interleaved, with every header field varied.

Deterministic by the random generator handed in.  Every packet carries a number that its verdict does not depend on, unless a
rule asks for it: IPv4 in the identification, IPv6 in the flow label.  It is how observations find their packet.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from tests.conntrack.generated import (
    clashing_conversation,
    error_about,
    mixed_conversation,
    sctp_conversation,
    tcp_conversation,
)
from tests.conntrack.segments import End, Pair
from tests.fidelity.gateway import IN, INSIDE4, INSIDE6, OUT
from tests.fidelity.headers import (
    IDENTS,
    add_ipv4_options,
    add_ipv6_extensions,
    break_something,
    cut_in_pieces,
    fix_checksums,
    has_extensions,
    number,
    vary_fields,
    version_of,
)
from tests.fidelity.orderly import orderly_conversation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

CLIENTS4 = ("10.0.0.1", "10.0.0.2", "10.0.0.5", "10.0.1.9")
SERVERS4 = ("10.1.0.1", "10.1.0.2", "198.51.100.7", "203.0.113.99")
CLIENTS6 = ("2001:db8::1", "2001:db8::2", "2001:db8:0:5::5")
SERVERS6 = ("2001:db8:1::1", "2001:db8:1::2", "2001:db8:ffff::7")
PORTS = (22, 53, 80, 443, 8080, 36412)
FEW_PORTS = (1024, 1025, 40000)  # of clients that use a port again
INSIDE = (ip_network(INSIDE4), ip_network(INSIDE6))

AT_ONCE = 6  # conversations
KINDS = (
    *[orderly_conversation] * 6,
    *[tcp_conversation] * 3,
    *[mixed_conversation] * 2,
    clashing_conversation,
    sctp_conversation,
)
ERROR_SHARE, OPTIONS_SHARE, FRAGMENT_SHARE, BROKEN_SHARE, ELSEWHERE_SHARE = 0.03, 0.03, 0.03, 0.01, 0.02


class Sent(NamedTuple):
    """A packet as it arrives at the gateway."""

    link: str
    packet: bytes
    ident: int  # of the packet or, for a fragment, of its datagram


def traffic(rng: Random, count: int, pairs: Callable[[Random], Pair] | None = None) -> list[Sent]:
    """`count` packets or a few more, of which none has another's number.  `pairs` draws who talks."""
    sent: list[Sent] = []
    running: list[Iterator[bytes]] = []
    ident = 0
    while len(sent) < count and ident < IDENTS - 1:
        if len(running) < AT_ONCE:
            running.append(conversation(rng, pairs or pair))
        turn = rng.choice(running)
        packet = next(turn, None)
        if packet is None:
            running.remove(turn)
            continue
        ident += 1
        sent += finished(rng, packet, ident)
    return sent


def conversation(rng: Random, pairs: Callable[[Random], Pair]) -> Iterator[bytes]:
    """The packets of one conversation, sometimes with ICMP errors about them."""
    packets = rng.choice(KINDS)(rng, pairs(rng)) or [pairs(rng).udp()]
    for at, packet in enumerate(packets):
        yield packet
        if rng.random() < ERROR_SHARE:
            yield error_about(rng, rng.choice(packets[: at + 1]), version_of(packet) == 6)


def pair(rng: Random) -> Pair:
    """Two hosts and their ports; sometimes the outside begins."""
    six = rng.random() < 0.3
    clients, servers = (CLIENTS6, SERVERS6) if six else (CLIENTS4, SERVERS4)
    port = rng.choice(FEW_PORTS) if rng.random() < 0.3 else rng.randrange(1024, 65536)
    chosen = Pair(End(rng.choice(clients), port), End(rng.choice(servers), rng.choice(PORTS)))
    return chosen.swapped() if rng.random() < 0.2 else chosen


def finished(rng: Random, packet: bytes, ident: int) -> list[Sent]:
    """The packet with varied fields, right checksums and its number; in pieces, or broken, if chance wants it."""
    packet = vary_fields(rng, packet)
    if rng.random() < OPTIONS_SHARE:
        packet = add_ipv6_extensions(rng, packet) if version_of(packet) == 6 else add_ipv4_options(rng, packet)
    packet = number(fix_checksums(packet), ident)
    pieces = [packet]
    if rng.random() < FRAGMENT_SHARE and not has_extensions(packet):
        pieces = cut_in_pieces(rng, packet, ident)
    elif rng.random() < BROKEN_SHARE:
        pieces = [break_something(rng, packet)]
    link = link_of(packet)
    if rng.random() < ELSEWHERE_SHARE:
        link = IN if link == OUT else OUT
    return [Sent(link, piece, ident) for piece in pieces]


def link_of(packet: bytes) -> str:
    """Where a packet to this destination arrives: at the link it does not leave through."""
    destination = ip_address(packet[16:20] if version_of(packet) == 4 else packet[24:40])
    inside = any(destination.version == network.version and destination in network for network in INSIDE)
    return OUT if inside else IN


def datagrams(sent: list[Sent]) -> Iterator[list[Sent]]:
    """The packets by number, in order of their first piece: what a minimiser may take away at once."""
    by_number: dict[int, list[Sent]] = {}
    for each in sent:
        by_number.setdefault(each.ident, []).append(each)
    yield from by_number.values()
