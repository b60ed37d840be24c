"""Which packets a trace is about, as text for nftables.

    filter    = [protocol] [endpoint [">" endpoint]]       as `connections` understands it
              | a packet of `explain`: its protocol and ends

One endpoint alone is either end; `any` or an empty filter is every packet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from twinwall.engine.spoken import Endpoint, SpokenPacket
from twinwall.engine.vocabulary import PORTED, PROTOCOLS
from twinwall.live.connection_filter import Ends, FilterError, endpoint

ANYWHERE = Ends()


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """Protocol (None: any) and ends; `turned`: or the ends the other way round."""

    protocol: int | None = None
    source: Ends = ANYWHERE
    destination: Ends = ANYWHERE
    turned: bool = False

    def lines(self) -> tuple[str, ...]:
        """What a packet is asked for, one of the lines at least; together they are all packets that are meant."""
        ways = [(self.source, self.destination), *([(self.destination, self.source)] if self.turned else [])]
        return tuple(dict.fromkeys(" ".join(self._tests(*way)) for way in ways))

    def _tests(self, source: Ends, destination: Ends) -> Iterator[str]:
        if self.protocol is not None:
            yield f"meta l4proto {self.protocol}"
        elif source.ports or destination.ports:
            yield f"meta l4proto {{ {', '.join(map(str, sorted(PORTED)))} }}"
        for ends, address, port in ((source, "saddr", "sport"), (destination, "daddr", "dport")):
            if ends.network is not None:
                yield f"{'ip' if ends.network.version == 4 else 'ip6'} {address} {ends.network}"
            if ends.ports is not None:
                yield f"th {port} {ends.ports[0]}-{ends.ports[1]}"


def filter_of(packet: SpokenPacket) -> PacketFilter:
    """The packets with this packet's protocol and ends, that way."""
    return PacketFilter(packet.protocol, _ends(packet.source), _ends(packet.destination))


def _ends(end: Endpoint) -> Ends:
    return Ends(ip_network(end.host), None if end.port is None else (end.port, end.port))


def parse_packet_filter(text: str) -> PacketFilter:
    """Read a filter.  Raises `FilterError`."""
    words = text.split()
    protocol = None
    if words and words[0] == "ip":
        if len(words) < 2 or not words[1].isdecimal() or int(words[1]) > 255:
            raise FilterError("ip", "a protocol number from 0 to 255 belongs behind it")
        protocol, words = int(words[1]), words[2:]
    elif words and words[0] in PROTOCOLS:
        protocol, words = PROTOCOLS[words[0]], words[1:]
    if len(words) == 3 and words[1] == ">":
        return PacketFilter(protocol, endpoint(words[0]), endpoint(words[2]))
    if len(words) == 2 and words[0] == ">":
        return PacketFilter(protocol, destination=endpoint(words[1]))
    if len(words) > 1:
        raise FilterError(" ".join(words), "no ends of a packet: write `SOURCE > DESTINATION`, or one end")
    return PacketFilter(protocol, endpoint(words[0]), turned=True) if words else PacketFilter(protocol)
