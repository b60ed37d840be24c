from __future__ import annotations

from tests.lab.made import ACK, HOST, SYN, WEB, icmp4, tcp4, tcp6, udp4
from twinwall.lab.addresses import PEOPLE
from twinwall.lab.header import header, matches
from twinwall.lab.scenarios import TCP, UDP, Signature

MORE = 0x2000


def test_both_directions_are_one_flow():
    there, back = header(tcp4(HOST, WEB, (40000, 80))), header(tcp4(WEB, HOST, (80, 40000), ACK))
    assert there.flow == back.flow
    assert there.flow != header(tcp4(HOST, WEB, (40001, 80))).flow
    assert there.flow != header(udp4(HOST, WEB, (40000, 80))).flow


def test_packets_without_ports_have_no_flow():
    assert header(icmp4(HOST, WEB)).flow is None
    assert header(udp4(HOST, WEB, frag=MORE)).flow is None


def test_ipv6():
    seen = header(tcp6("2001:db8:20::10", "2001:db8:100::7"))
    assert (seen.protocol, seen.ports, seen.flags) == (TCP, (40000, 80), SYN)


def test_a_signature_asks_for_source_protocol_flags_and_pieces():
    syn = header(tcp4(PEOPLE.attacker, HOST, flags=SYN))
    assert matches(Signature("attacker", TCP, SYN), syn)
    assert matches(Signature("attacker", TCP), syn)
    assert not matches(Signature("attacker", TCP, ACK), syn)
    assert not matches(Signature("attacker", UDP), syn)
    assert not matches(Signature("web", TCP, SYN), syn)
    assert not matches(Signature("attacker", TCP, fragments=True), syn)
    assert matches(Signature("attacker", UDP, fragments=True), header(udp4(PEOPLE.attacker, HOST, frag=MORE)))
