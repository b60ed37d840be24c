from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.engine.spoken import EXAMPLE, Endpoint, Fragment, SpokenPacket
from twinwall.engine.spoken_error import SpokenError
from twinwall.engine.spoken_parser import parse_packet
from twinwall.path.layout import ACK, CWR, ECE, FIN, ICMP, PSH, RST, SYN, URG

TCP = "tcp 10.0.0.5:40000 > 198.51.100.7:443"
UDP = "udp 10.0.0.5:40000 > 198.51.100.7:53"
PING = "icmp 10.0.0.5 > 198.51.100.7"


def test_endpoints():
    packet = parse_packet(TCP)
    assert packet.source == Endpoint(IPv4Address("10.0.0.5"), 40000)
    assert packet.destination == Endpoint(IPv4Address("198.51.100.7"), 443)
    assert parse_packet("udp [2001:db8::1]:53>[::1]:54").version == 6
    assert parse_packet("gre 2001:db8::1 > [2001:db8::2]").destination.port is None
    assert parse_packet("ip 89 10.0.0.1 > 224.0.0.5").protocol == 89


@pytest.mark.parametrize(
    ("letters", "flags"),
    [("S", SYN), ("S.", SYN | ACK), (".", ACK), ("P.", PSH | ACK), ("FPU", FIN | PSH | URG), ("R", RST), ("none", 0),
     ("SA", SYN | ACK), ("SEW", SYN | ECE | CWR), ("SEC", SYN | ECE | CWR)],
)  # fmt: skip
def test_flags_in_tcpdumps_letters_and_in_the_rules(letters, flags):
    assert parse_packet(f"{TCP} {letters}").flags == flags


@pytest.mark.parametrize(
    ("words", "message"), [("echo-request", (8, 0)), ("echo-reply", (0, 0)), ("host-unreachable", (3, 1)), ("13/0", (13, 0))]
)
def test_icmp_messages(words, message):
    assert parse_packet(f"{PING} {words}").message == message


def test_names_differ_by_family():
    assert parse_packet("icmp6 ::1 > ::2 echo-request").message == (128, 0)
    assert parse_packet("icmp6 ::1 > ::2 packet-too-big").message == (2, 0)


def test_items():
    packet = parse_packet(f"{UDP} len 100 ttl 3 tos 184 df id 9 frag 1480+ iface lan0 vlan 7 vlan 8 after 30s")
    assert packet == SpokenPacket(
        17, packet.source, packet.destination, length=100, ttl=3, tos=184, dont_fragment=True, ip_ident=9,
        fragment=Fragment(1480, more=True), interface="lan0", vlans=(7, 8), after=30_000_000_000,
    )  # fmt: skip
    segment = parse_packet(f"{TCP} . seq 5 ack 6 win 7")
    assert (segment.seq, segment.ack, segment.window) == (5, 6, 7)


def test_an_identifier_is_icmps_own_and_the_ips_for_the_rest():
    assert parse_packet(f"{PING} echo-request id 7 seq 1 ipid 9").ident == 7
    assert parse_packet(f"{PING} echo-request ipid 9").ip_ident == 9
    assert parse_packet(f"{UDP} id 9").ip_ident == 9


def test_an_error_quotes_a_packet():
    packet = parse_packet(f"icmp 192.0.2.1 > 10.0.0.5 host-unreachable for ({TCP} S) ttl 9")
    assert packet.quote == parse_packet(f"{TCP} S")
    assert packet.ttl == 9


def test_turns_refer_to_the_packet_written_out():
    opening = parse_packet(f"{TCP} S iface lan0 ttl 9")
    assert str(parse_packet("< S.", opening)) == "tcp 198.51.100.7:443 > 10.0.0.5:40000 S."
    assert str(parse_packet("> . len 3", opening)) == "tcp 10.0.0.5:40000 > 198.51.100.7:443 . len 3 iface lan0"
    ping = parse_packet(f"{PING} echo-request id 7 seq 1")
    answer = parse_packet("<", ping)
    assert (answer.message, answer.ident, answer.seq) == ((0, 0), 7, 1)
    assert parse_packet("> timestamp-request", ping).message == (13, 0)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("", 1, "a protocol"),
        ("tpc 10.0.0.5:1 > 10.0.0.6:2 S", 1, "a protocol"),
        ("tcp 10.0.0.5 > 10.0.0.6:2 S", 5, "a port behind the address"),
        ("tcp 10.0.0.5:1 10.0.0.6:2 S", 16, "`>`"),
        ("tcp 10.0.0.5:1 >", 17, "an address and port"),
        ("tcp 10.0.0.5:1 > 10.0.0.6:70000 S", 18, "a port from 0 to 65535"),
        ("tcp 10.0.0.500:1 > 10.0.0.6:2 S", 5, "an address"),
        ("tcp 10.0.0.5:1 > [::1]:2 S", 18, "an IPv4 address"),
        ("icmp ::1 > ::2 echo-request", 12, "IPv4 addresses"),
        ("icmp 10.0.0.5:1 > 10.0.0.6 echo-request", 6, "an address without a port"),
        ("icmp 10.0.0.5 > 10.0.0.6", 25, "a message"),
        ("icmp 10.0.0.5 > 10.0.0.6 echo-rquest", 26, "a message such as"),
        ("icmp 10.0.0.5 > 10.0.0.6 echo-request seq 70000", 43, "from 0 to 65535"),
        ("icmp 1.1.1.1 > 1.1.1.2 3/1 for tcp", 32, "`(`"),
        ("icmp 1.1.1.1 > 1.1.1.2 3/1 for (tcp 1.1.1.1:1 > 1.1.1.2:1 S", 60, "`)`"),
        ("icmp 1.1.1.1 > 1.1.1.2 3/1 for (udp 1.1.1.1:1 > 1.1.1.2:1 vlan 3)", 59, "no `vlan` in a quoted packet"),
        ("udp 10.0.0.5:1 > 10.0.0.6:2 S", 29, "len, ttl"),
        ("udp 10.0.0.5:1 > 10.0.0.6:2 win 3", 29, "no `win`"),
        ("tcp 10.0.0.5:1 > 10.0.0.6:2 S S", 31, "each of a packet's items once"),
        ("tcp 10.0.0.5:1 > 10.0.0.6:2 S ttl 256", 35, "a number from 0 to 255"),
        ("tcp 10.0.0.5:1 > 10.0.0.6:2 S ttl", 34, "a number"),
        ("tcp 10.0.0.5:1 > 10.0.0.6:2 S frag 7", 36, "a multiple of 8"),
        ("tcp 10.0.0.5:1 > 10.0.0.6:2 S after 3", 37, "its unit"),
        ("tcp 10.0.0.5:1 > 10.0.0.6:2 S )", 31, "TCP flags"),
        ("udp [::1]:1 > [::1]:2 df", 25, "no `df`"),
        ("sctp 10.0.0.5:1 > 10.0.0.6:2 vlan 1 vlan 1 vlan 1 vlan 1 vlan 1", 58, "at most 4"),
        ("< S.", 1, "a packet written out before"),
    ],
)
def test_an_error_says_where_and_what_and_shows_an_example(text, column, expected):
    with pytest.raises(SpokenError) as caught:
        parse_packet(text)
    assert caught.value.column == column
    assert expected in caught.value.expected
    assert caught.value.example in str(caught.value)


SCRAPS = st.sampled_from([
    "tcp", "udp", "icmp", "icmp6", "ip", "10.0.0.5:1", "10.0.0.6", "[::1]:2", "::1", ">", "<", "(", ")", "for", "S.", "frag",
    "0+",
    "len", "7", "after", "30s", "vlan", "iface", "echo-request", "3/1", "chunk", "init", "\u0664", "-1", "1e9",
])  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(SCRAPS, max_size=14).map(" ".join)))
def test_no_text_raises_anything_but_its_own_error(text):
    opening = parse_packet(EXAMPLE)
    for known in (None, opening):
        try:
            packet = parse_packet(text, known)
        except SpokenError as error:
            column = error.column
        else:
            column = 1
            assert parse_packet(str(packet)) == packet
            assert packet.protocol != ICMP or packet.message is not None
        assert 1 <= column <= len(text) + 1
