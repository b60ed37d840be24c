"""The items of the packet language that are a word and a number, and what to say where an item is not understood."""

from __future__ import annotations

from dataclasses import dataclass

from twinwall.engine.spoken import EXAMPLE
from twinwall.path.layout import GRE, ICMP, ICMP6, SCTP, TCP

LONGEST = 65_000  # bytes of payload: with every header the packet stays below 65,536
ICMPS = frozenset({ICMP, ICMP6})
ANY_PROTOCOL: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class NumberItem:
    """An item that is a word and a number: the field it sets, the highest value, and who has it (nobody named: everybody)."""

    field: str
    highest: int
    protocols: frozenset[int] = ANY_PROTOCOL


NUMBERS = {
    "len": NumberItem("length", LONGEST),
    "ttl": NumberItem("ttl", 255),
    "tos": NumberItem("tos", 255),
    "seq": NumberItem("seq", 0xFFFFFFFF, frozenset({TCP, ICMP, ICMP6})),
    "ack": NumberItem("ack", 0xFFFFFFFF, frozenset({TCP})),
    "win": NumberItem("window", 0xFFFF, frozenset({TCP})),
    "id": NumberItem("ip_ident", 0xFFFF),
    "ipid": NumberItem("ip_ident", 0xFFFF),
    "key": NumberItem("key", 0xFFFFFFFF, frozenset({GRE})),
}
PLACE_WORDS = ("frag", "iface", "vlan", "after", "for")  # what a quoted packet does not have


def choices(protocol: int) -> str:
    """What may stand behind the endpoints."""
    own = {
        TCP: "TCP flags in tcpdump's letters (S, S., ., P., F., R, none), seq, ack, win, ",
        SCTP: "a chunk such as init or data, ",
        ICMP: "a message such as echo-request, id, seq, for (…), ",
        ICMP6: "a message such as echo-request, id, seq, for (…), ",
        GRE: "key, ",
    }.get(protocol, "")
    return f"{own}len, ttl, tos, id, df, frag, iface, vlan or after"


def example_of(protocol: int) -> str:
    """A packet of the protocol that is understood."""
    return {
        SCTP: "sctp 10.0.0.5:40000 > 198.51.100.7:38412 init",
        ICMP: "icmp 10.0.0.5 > 198.51.100.7 echo-request id 7 seq 1",
        ICMP6: "icmp6 2001:db8::1 > 2001:db8::2 echo-request id 7 seq 1",
        GRE: "gre 10.0.0.5 > 198.51.100.7 key 9 len 100",
    }.get(protocol, EXAMPLE if protocol == TCP else "udp 10.0.0.5:40000 > 198.51.100.7:53 len 30 ttl 3")
