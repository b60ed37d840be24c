"""Where a packet belongs: its conversation as the inside knows it, which end it comes from, and the packet from another end."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

from tests.fidelity.headers import (
    CHECKSUMS,
    fix_checksums,
    folded,
    header_length,
    piece_of,
    protocol_of,
    version_of,
    with_word,
)
from tests.fidelity.host import is_damaged
from tests.fidelity.traffic import INSIDE

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
TWO_ZEROS = (b"\0\0", b"\xff\xff")  # checksums that are equal: a translated packet may have the other one
SHORTEST = 28  # an IPv4 header and the ports
ECHOES = {ICMP: (8, 0), ICMP6: (128, 129)}  # request, reply
ERRORS = {ICMP: frozenset({3, 4, 11, 12}), ICMP6: frozenset({1, 2, 3, 4})}  # Linux drops redirects about what it translates


class End(NamedTuple):
    """An address, and a port or what stands for one."""

    address: bytes
    port: int


class Talk(NamedTuple):
    """A conversation as the inside knows it."""

    protocol: int
    inside: End
    outside: End


@dataclass(frozen=True)
class Place:
    """Where a packet belongs: its conversation, and whether it leaves or arrives there.  `quoted`: it is an error about it."""

    talk: Talk
    leaves: bool
    quoted: bool = False


def place_of(packet: bytes) -> Place | None:
    """The place of a packet; None for one that is not sent here, a cut one for example, whose checksum is wrong."""
    if piece_of(packet) or is_damaged(packet) or fix_checksums(packet) != packet:
        return None
    protocol, start = protocol_of(packet), header_length(packet)
    if protocol in CHECKSUMS and packet[start + CHECKSUMS[protocol] :][:2] in TWO_ZEROS:
        return None
    if protocol in ERRORS and packet[start] in ERRORS[protocol]:
        return _place_of_error(packet, packet[start + 8 :])
    ports = ports_of(packet)
    if ports is None:
        return None
    source, destination = ends_of(packet, ports)
    if _is_inside(source) == _is_inside(destination):
        return None
    leaves = _is_inside(source)
    if protocol in ECHOES and leaves != (packet[start] == ECHOES[protocol][0]):
        return None  # pings from the inside only: replies are known by the request's identifier
    return Place(Talk(protocol, *((source, destination) if leaves else (destination, source))), leaves)


def _place_of_error(packet: bytes, quoted: bytes) -> Place | None:
    """An error that goes to the sender of a packet of which the ports are quoted."""
    if len(quoted) < SHORTEST or version_of(quoted) != version_of(packet) or len(quoted) < header_length(quoted) + 8:
        return None
    if protocol_of(quoted) not in (TCP, UDP):
        return None
    source, destination = ends_of(quoted, ports_of(quoted) or (0, 0))
    sender, receiver = ends_of(packet, (0, 0))
    if receiver.address != source.address or _is_inside(source) == _is_inside(destination):
        return None
    if _is_inside(sender) == _is_inside(receiver):
        return None
    leaves = not _is_inside(source)
    return Place(Talk(protocol_of(quoted), *((destination, source) if leaves else (source, destination))), leaves, quoted=True)


def ports_of(packet: bytes) -> tuple[int, int] | None:
    start, protocol = header_length(packet), protocol_of(packet)
    if protocol in (TCP, UDP):
        return int.from_bytes(packet[start : start + 2]), int.from_bytes(packet[start + 2 : start + 4])
    if protocol in ECHOES and packet[start] in ECHOES[protocol]:
        return (int.from_bytes(packet[start + 4 : start + 6]),) * 2
    return None


def ends_of(packet: bytes, ports: tuple[int, int]) -> tuple[End, End]:
    first, half = (12, 4) if version_of(packet) == 4 else (8, 16)
    return End(packet[first : first + half], ports[0]), End(packet[first + half : first + 2 * half], ports[1])


def _is_inside(end: End) -> bool:
    address = ip_address(end.address)
    return any(address.version == network.version and address in network for network in INSIDE)


def with_end(packet: bytes, end: End, *, source: bool) -> bytes:
    """The packet from, or to, another end, with right checksums."""
    return fix_checksums(_with_end(packet, end, source=source))


def _with_end(packet: bytes, end: End, *, source: bool) -> bytes:
    start, protocol = header_length(packet), protocol_of(packet)
    first, half = (12, 4) if version_of(packet) == 4 else (8, 16)
    at = first if source else first + half
    packet = packet[:at] + end.address + packet[at + half :]
    place = start + (4 if protocol in ECHOES else 0 if source else 2)
    return packet[:place] + end.port.to_bytes(2) + packet[place + 2 :]


def rewritten(quoted: bytes, source: End) -> bytes:
    """What is quoted of a packet, from another end; as it may be cut short, its checksum is reckoned forward (RFC 1624)."""
    changed = _with_end(quoted, source, source=True)
    place = header_length(quoted) + CHECKSUMS[protocol_of(quoted)]
    if len(quoted) < place + 2:
        return changed
    old, new = (
        folded(b"".join(end.address + end.port.to_bytes(2) for end in ends_of(each, ports_of(each) or (0, 0))))
        for each in (quoted, changed)
    )
    total = (int.from_bytes(quoted[place : place + 2]) ^ 0xFFFF) + (old ^ 0xFFFF) + new
    return with_word(changed, place, folded(total.to_bytes(4)) ^ 0xFFFF)


def with_destination(packet: bytes, address: bytes) -> bytes:
    at = 16 if version_of(packet) == 4 else 24
    return packet[:at] + address + packet[at + len(address) :]
