"""The stateless stage without XDP, first part: malformed packets are dropped, as `path.decode` drops them.

nftables looks into a header only where the IP layer's own parser finds one; what that parser refuses has no `meta l4proto`,
and a look at the bytes then says why (the reasons are `path.reason`'s).  nftables also reads behind the end that the IP
header claims, into a short frame's padding, so lengths are compared before anything is believed.  It cannot compare two
fields with each other: there is a chain for every length of the IP header, that is 11 of them for IPv4, and one for every 8
bytes of IPv6 extension headers.  Where this stage sees less than XDP, it drops:

- a second VLAN tag, or one of type 0x9100, whatever is behind it;
- more than 48 bytes of IPv6 extension headers, one behind a fragment header, and AH, behind which nftables does not look.

Two kinds of malformed packets are left to what follows, because they need a comparison of two fields: a UDP length beyond the
packet (the tracker calls it invalid), and a fragment that ends beyond 65,535 bytes (reassembly discards it).

The chains leave in bits 0-1 of the mark which piece of a datagram the packet is (`PacketField.FRAGMENT`), and end in
`rules4`, `rules6`, or in `bare4`, `bare6` for packets that have no transport header.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from twinwall.path.layout import AH, GRE, ICMP, ICMP6, SCTP, TCP, UDP, UDPLITE
from twinwall.path.reason import Reason
from twinwall.policy.model import Action
from twinwall.render.marks import STAMPS
from twinwall.render.ready import NETDEV

WHOLE, FIRST, LATER = 0, 1, 2  # in the mark: PacketField.FRAGMENT
PIECE = 3
PARSED = "meta l4proto 0-255"  # holds of every packet whose headers the IP layer's parser took

HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
OPTIONS = (HOP_BY_HOP, ROUTING, DESTINATION)  # extension headers that say their length in units of 8 bytes
EXTENSIONS = (*OPTIONS, FRAGMENT, AH)
UNITS = 6  # of 8 bytes: how much of extension headers is followed; a chain each, and the kernel allows 16 in a row

SHORTEST = {TCP: 20, UDP: 8, UDPLITE: 8, ICMP: 8, ICMP6: 8, SCTP: 12}  # transport headers, in bytes
LONGEST_HEADER = 15  # words of 4 bytes, of IPv4 and TCP
TAGS = (0x8100, 0x88A8, 0x9100)

MALFORMED = (
    Reason.TRUNCATED_IP,
    Reason.BAD_IP_VERSION,
    Reason.BAD_IP_HEADER_LENGTH,
    Reason.BAD_IP_TOTAL_LENGTH,
    Reason.TRUNCATED_EXTENSION,
    Reason.TOO_MANY_EXTENSIONS,
    Reason.TRUNCATED_TRANSPORT,
    Reason.BAD_TCP_HEADER_LENGTH,
    Reason.BAD_UDP_LENGTH,
    Reason.TOO_MANY_TAGS,
)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of the ruleset: its name and its lines."""

    name: str
    rules: tuple[str, ...]

    def __str__(self) -> str:
        return f"\tchain {self.name} {{\n" + "".join(f"\t\t{rule}\n" for rule in self.rules) + "\t}\n"


def bad(reason: Reason) -> str:
    """The chain that counts a malformed packet and drops it."""
    return f"goto {reason.name.lower()}"


def counter(action: Action, reason: Reason) -> str:
    """The name of the counter of a verdict, in every table of ours."""
    return f"{action.value}_{reason.name.lower()}"


def counted(action: Action, reason: Reason) -> str:
    """The statement that counts a verdict."""
    return f"counter name {counter(action, reason)}"


def mark(piece: int) -> str:
    """Remember which piece of a datagram the packet is; the stamps of both slots stay."""
    return f"meta mark set meta mark & {STAMPS:#x} | {piece}" if piece else f"meta mark set meta mark & {STAMPS:#x}"


def is_piece(*pieces: int) -> str:
    """Test for what `mark` remembers."""
    return f"meta mark & {PIECE} {_set(pieces)}"


def sound_chains(unjudged: str) -> tuple[Chain, ...]:
    """All chains between `link_rules` and the rules.  `unjudged`: what becomes of a packet while maps are missing."""
    drops = (Chain(each.name.lower(), (f"{counted(Action.DROP, each)} drop",)) for each in MALFORMED)
    return (*drops, *_ipv4(unjudged), *_ipv6(unjudged))


def link_rules() -> tuple[str, ...]:
    """The rules for any frame: by its ethertype, one VLAN tag having been taken away by the kernel."""
    kinds = {0x0800: "goto ip4_start", 0x86DD: "goto ip6_start", **dict.fromkeys(TAGS, bad(Reason.TOO_MANY_TAGS))}
    return f"meta protocol vmap {_map(kinds)}", f"{counted(Action.PASS, Reason.NOT_IP)} accept"


def _ipv4(unjudged: str) -> Iterator[Chain]:
    lengths = {0x40 | words: f"goto ip4_{4 * words}" for words in range(5, LONGEST_HEADER + 1)}
    for words in range(5, LONGEST_HEADER + 1):
        yield _gre(4 * words, "ip length", "4")
        yield Chain(f"ip4_{4 * words}", tuple(_transport(4 * words, "ip length", "4")))
    sound = (
        f"{PARSED} ip frag-off & 0x1fff != 0 {mark(LATER)} goto bare4",
        mark(WHOLE),
        f"ip frag-off & 0x2000 != 0 {mark(FIRST)}",
        f"{PARSED} @nh,0,8 vmap {_map(lengths)}",
    )
    yield Chain(
        "ip4_unsound",
        (
            f"@nh,0,8 & 0xf0 != 0x40 {bad(Reason.BAD_IP_VERSION)}",
            f"@nh,0,8 & 0x0f < 5 {bad(Reason.BAD_IP_HEADER_LENGTH)}",
            bad(Reason.BAD_IP_TOTAL_LENGTH),
        ),
    )
    yield _start("ip4", unjudged, sound, last_byte=19)


def _ipv6(unjudged: str) -> Iterator[Chain]:
    for unit in range(UNITS, -1, -1):
        yield _gre(8 * unit, "ip6 length", "6")
        yield Chain(f"ip6_{8 * unit}", tuple(_transport(8 * unit, "ip6 length", "6")))
        if unit < UNITS:
            yield from _extension(unit)
    kinds = {**dict.fromkeys(OPTIONS, "goto ip6_options_0"), FRAGMENT: "goto ip6_fragment_0"}
    kinds[AH] = bad(Reason.TOO_MANY_EXTENSIONS)
    yield Chain(
        "ip6_unsound",
        (
            f"@nh,0,8 & 0xf0 != 0x60 {bad(Reason.BAD_IP_VERSION)}",
            f"ip6 nexthdr {_set(EXTENSIONS)} {bad(Reason.TRUNCATED_EXTENSION)}",
            bad(Reason.BAD_IP_TOTAL_LENGTH),
        ),
    )
    yield _start(
        "ip6", unjudged, (mark(WHOLE), f"{PARSED} ip6 nexthdr vmap {_map(kinds)}", f"{PARSED} goto ip6_0"), last_byte=39
    )


def _start(name: str, unjudged: str, sound: tuple[str, ...], last_byte: int) -> Chain:
    """What the IP layer's parser took goes on; of the rest, ask whether the header is there at all."""
    unsound = (f"@nh,{8 * last_byte},8 0-255 goto {name}_unsound", bad(Reason.TRUNCATED_IP))
    return Chain(f"{name}_start", (f"{NETDEV.missing} {unjudged}", *sound, *unsound))


def _extension(unit: int) -> Iterator[Chain]:
    """An extension header that stands `unit` times 8 bytes behind the IPv6 header, and what may follow it."""
    place = 8 * (40 + 8 * unit)
    sizes = {size: unit + 1 + size for size in range(UNITS - unit)}
    following = [_next(place, sizes, "options", OPTIONS), _next(place, sizes, "fragment", (FRAGMENT,))]
    ends = {size: f"goto ip6_{8 * after}" for size, after in sizes.items()}
    yield Chain(
        f"ip6_options_{unit}",
        (
            f"ip6 length < {8 * unit + 8} {bad(Reason.TRUNCATED_EXTENSION)}",
            *filter(None, following),
            f"@nh,{place},8 != {_set(EXTENSIONS)} @nh,{place + 8},8 vmap {_map(ends)}",
            bad(Reason.TOO_MANY_EXTENSIONS),
        ),
    )
    yield Chain(f"ip6_fragment_{unit}", tuple(_fragment(unit, place)))


def _next(place: int, sizes: Mapping[int, int], name: str, types: tuple[int, ...]) -> str:
    """Where an extension header of these types stands, by the length of the one at bit `place`; empty if all are too far."""
    near = {size: f"goto ip6_{name}_{unit}" for size, unit in sizes.items() if unit < UNITS}
    return f"@nh,{place},8 {_set(types)} @nh,{place + 8},8 vmap {_map(near)}" if near else ""


def _fragment(unit: int, place: int) -> Iterator[str]:
    """A fragment header; what follows it is the transport header, or data of a later piece."""
    yield f"ip6 length < {8 * unit + 8} {bad(Reason.TRUNCATED_EXTENSION)}"
    yield f"@nh,{place},8 {_set(EXTENSIONS)} {bad(Reason.TOO_MANY_EXTENSIONS)}"
    yield f"@nh,{place + 16},16 & 0xfff8 != 0 {mark(LATER)} goto bare6"
    yield f"@nh,{place + 16},16 & 1 != 0 {mark(FIRST)}"
    yield f"goto ip6_{8 * unit + 8}"


def _transport(header: int, length: str, version: str) -> Iterator[str]:
    """The transport header behind `header` bytes, inside of what the field `length` claims.

    A first piece may lack some of its transport header, which then comes with the next: it is judged without.  In IPv6 it must
    have the fixed part (RFC 8200 section 4.5).
    """
    if version == "6":
        yield f"ip6 length < {header} {bad(Reason.TRUNCATED_EXTENSION)}"
    yield f"meta l4proto {GRE} goto ip{version}_gre_{header}"
    for reason, protocol, test in _flaws(header, length):
        if version == "4" or reason is not Reason.TRUNCATED_TRANSPORT:
            yield f"meta l4proto {protocol} {test} {is_piece(FIRST)} goto bare{version}"
        yield f"meta l4proto {protocol} {test} {bad(reason)}"
    yield f"goto rules{version}"


def _flaws(header: int, length: str) -> Iterator[tuple[Reason, str, str]]:
    """Tests for what is wrong with a transport header: reason, protocols, test."""
    for size in sorted(set(SHORTEST.values())):
        protocols = _set(each for each, shortest in SHORTEST.items() if shortest == size)
        yield Reason.TRUNCATED_TRANSPORT, protocols, f"{length} < {header + size}"
    tcp = ", ".join(f"{n << 4}-{n << 4 | 15} . 0-{header + 4 * n - 1}" for n in range(6, LONGEST_HEADER + 1))
    yield Reason.BAD_TCP_HEADER_LENGTH, str(TCP), "@th,96,8 & 0xf0 < 0x50"
    yield Reason.BAD_TCP_HEADER_LENGTH, str(TCP), f"@th,96,8 . {length} {{ {tcp} }}"
    yield Reason.BAD_UDP_LENGTH, str(UDP), "@th,32,16 < 8"
    yield Reason.BAD_UDP_LENGTH, str(UDPLITE), "@th,32,16 1-7"


def _gre(header: int, length: str, version: str) -> Chain:
    """GRE's header grows by 4 bytes for each of checksum, key and sequence number.  It has no field that a rule can ask for.

    A chain of its own: nft 1.0.6 cannot list a rule that names GRE and then a byte of its header.
    """
    flags = (0x80, 0x20, 0x10, 0xA0, 0x90, 0x30, 0xB0)
    longer = ((_set(each for each in flags if each.bit_count() == count), 4 + 4 * count) for count in (1, 2, 3))
    short = (
        f"{length} < {header + 4}",
        *(f"@th,0,8 & 0xb0 {values} {length} < {header + size}" for values, size in longer),
    )
    return Chain(
        f"ip{version}_gre_{header}",
        (
            f"{is_piece(FIRST)} goto rules{version}",
            *(f"{each} {bad(Reason.TRUNCATED_TRANSPORT)}" for each in short),
            f"goto rules{version}",
        ),
    )


def _set(values: Iterator[int] | tuple[int, ...]) -> str:
    return f"{{ {', '.join(str(each) for each in values)} }}"


def _map(verdicts: Mapping[int, str]) -> str:
    return f"{{ {', '.join(f'{value} : {verdict}' for value, verdict in verdicts.items())} }}"
