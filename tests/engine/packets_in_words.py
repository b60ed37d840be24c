"""Hypothesis strategies for packets in words."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from twinwall.engine.spoken import Endpoint, Fragment, SpokenPacket
from twinwall.engine.vocabulary import PORTED
from twinwall.path.layout import GRE, ICMP, ICMP6, SCTP, TCP

ICMPS = (ICMP, ICMP6)


def hosts(version: int) -> st.SearchStrategy:
    return st.ip_addresses(v=version)


@st.composite
def packets(draw: st.DrawFn, *, quoted: bool = False) -> SpokenPacket:
    """Any packet that can be said."""
    protocol = draw(st.one_of(st.sampled_from([TCP, 17, 136, SCTP, ICMP, ICMP6, GRE, 50, 51]), st.integers(0, 255)))
    version = {ICMP: 4, ICMP6: 6}.get(protocol) or draw(st.sampled_from([4, 6]))

    def maybe(condition: bool, values: st.SearchStrategy, otherwise: object = None) -> object:
        return draw(st.one_of(st.just(otherwise), values)) if condition else otherwise

    ports = st.integers(0, 65535) if protocol in PORTED else st.none()
    quote = maybe(protocol in ICMPS and not quoted, packets(quoted=True)) if not quoted else None
    seqs = st.integers(0, 0xFFFF if protocol in ICMPS else 0xFFFFFFFF)
    return SpokenPacket(
        protocol,
        Endpoint(draw(hosts(version)), draw(ports)),
        Endpoint(draw(hosts(version)), draw(ports)),
        flags=draw(st.integers(0, 255)) if protocol == TCP else 0,
        message=(draw(st.integers(0, 255)), draw(st.integers(0, 255))) if protocol in ICMPS else None,
        chunk=maybe(protocol == SCTP, st.integers(0, 255)),
        quote=quote,
        length=draw(st.integers(0, 3000)),
        ttl=draw(st.integers(0, 255)),
        tos=draw(st.integers(0, 255)),
        dont_fragment=version == 4 and draw(st.booleans()),
        seq=maybe(protocol == TCP or protocol in ICMPS, seqs),
        ack=maybe(protocol == TCP, st.integers(0, 0xFFFFFFFF)),
        window=maybe(protocol == TCP, st.integers(0, 65535)),
        ident=maybe(protocol in ICMPS, st.integers(0, 65535)),
        ip_ident=maybe(True, st.integers(0, 65535)),
        key=maybe(protocol == GRE, st.integers(0, 0xFFFFFFFF)),
        fragment=maybe(not quoted, st.builds(Fragment, st.integers(0, 8191).map(lambda n: n * 8), st.booleans())),
        interface=maybe(not quoted, st.text("abcdeth0123456789.-", min_size=1, max_size=15), ""),
        vlans=tuple(draw(st.lists(st.integers(0, 4095), max_size=4))) if not quoted else (),
        after=1_000_000 if quoted else draw(st.integers(0, 10**10)),
    )


CLIENT, SERVER = IPv4Address("10.0.0.5"), IPv4Address("198.51.100.7")
CLIENT6, SERVER6 = IPv6Address("2001:db8::5"), IPv6Address("2001:db8::7")


@st.composite
def conversations(draw: st.DrawFn) -> list[str]:
    """Up to a dozen packets in words, of few flows, so that they meet; fragments, errors and late packets among them."""
    flags = st.sampled_from(["S", "S.", ".", "P.", "F.", "R", "R.", "none", "SF"])
    rest = st.sampled_from(["", "", "", " len 20", " ttl 3", " after 40s", " seq 77", " iface lan0"])
    flow = st.sampled_from(["10.0.0.5:40000 > 198.51.100.7:443", "198.51.100.7:443 > 10.0.0.5:40000",
                            "[2001:db8::5]:40000 > [2001:db8::7]:23"])  # fmt: skip
    plain = st.sampled_from([
        "udp 10.0.0.5:5353 > 198.51.100.7:53 len 40", "udp 198.51.100.7:53 > 10.0.0.5:5353 len 40",
        "udp 10.0.0.5:5353 > 198.51.100.7:53 len 40 frag 0+", "udp 10.0.0.5:5353 > 198.51.100.7:53 len 40 frag 48",
        "udp 10.0.0.5:5353 > 198.51.100.7:53 len 16 frag 40+",
        "icmp 10.0.0.5 > 198.51.100.7 echo-request", "icmp 198.51.100.7 > 10.0.0.5 echo-reply",
        "icmp 192.0.2.1 > 10.0.0.5 host-unreachable for (tcp 10.0.0.5:40000 > 198.51.100.7:443 .)",
        "icmp 192.0.2.1 > 10.0.0.5 port-unreachable for (udp 10.0.0.5:5353 > 198.51.100.7:53)",
        "icmp6 2001:db8::5 > 2001:db8::7 echo-request", "icmp6 2001:db8::5 > ff02::1 neighbor-solicitation",
        "sctp 10.0.0.5:40000 > 198.51.100.7:38412 init", "sctp 198.51.100.7:38412 > 10.0.0.5:40000 init-ack",
        "gre 10.0.0.5 > 198.51.100.7 key 9 len 100", "gre 198.51.100.7 > 10.0.0.5 key 9", "esp 10.0.0.5 > 198.51.100.7 len 100",
        "ip 89 10.0.0.5 > 224.0.0.5 len 44",
    ])  # fmt: skip
    first = f"tcp {draw(flow)} {draw(flags)}"
    turns = st.builds("{} {}{}".format, st.sampled_from("<>"), flags, rest)
    tcp = st.builds("tcp {} {}{}".format, flow, flags, rest)
    texts = [first, *draw(st.lists(st.one_of(turns, tcp, plain), max_size=11))]
    # `<` and `>` refer to the last packet written out: flags fit TCP only.
    opening = "tcp"
    kept = []
    for text in texts:
        if text[0] not in "<>":
            opening = text.split()[0]
        elif opening != "tcp":
            continue
        kept.append(text)
    return kept
