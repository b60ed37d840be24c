"""The few header fields that tell the lab's rows apart.  Judging packets is `path.decode`'s; this only sorts them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from twinwall.lab.addresses import PEOPLE
from twinwall.lab.crossing import destination, source
from twinwall.lab.scenarios import TCP, UDP, Signature

IPV4_HEADER, IPV6_HEADER = 20, 40
MORE_OR_OFFSET = 0x3FFF


@dataclass(frozen=True)
class Header:
    """Ports and flags are None where the packet has none, or is a piece of one."""

    source: bytes
    destination: bytes
    protocol: int
    fragment: bool
    ports: tuple[int, int] | None = None
    flags: int | None = None

    @property
    def flow(self) -> frozenset[object] | None:
        """The same for both directions of a conversation; None for packets without ports."""
        if self.ports is None:
            return None
        ends = zip((self.source, self.destination), self.ports, strict=True)
        return frozenset((self.protocol, *ends))


def header(packet: bytes) -> Header:
    """The fields of an IP packet that `crossing.forwardable` accepts; IPv6 extension headers count as a protocol."""
    if packet[0] >> 4 == 4:
        start, protocol = (packet[0] & 15) * 4, packet[9]
        fragment = bool(int.from_bytes(packet[6:8]) & MORE_OR_OFFSET)
    else:
        start, protocol, fragment = IPV6_HEADER, packet[6], False
    ports = flags = None
    if not fragment and protocol in (TCP, UDP) and len(packet) >= start + 8:
        ports = (int.from_bytes(packet[start : start + 2]), int.from_bytes(packet[start + 2 : start + 4]))
        flags = packet[start + 13] if protocol == TCP and len(packet) >= start + 14 else None
    return Header(source(packet), destination(packet), protocol, fragment, ports, flags)


def matches(signature: Signature, seen: Header) -> bool:
    """Whether a packet belongs to an attack."""
    attacker = ipaddress.ip_address(getattr(PEOPLE, signature.source)).packed
    return (
        seen.source == attacker
        and seen.protocol == signature.protocol
        and seen.fragment == signature.fragments
        and signature.flags in (None, seen.flags)
    )
