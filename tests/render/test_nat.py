"""The `nat` section: what is rendered, what is refused, and that connections arrive translated."""

from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest

from tests.oracle.kernel import Namespace, why_unavailable
from twinwall.policy.diagnostic import Span
from twinwall.policy.model import Attach, Mode, Nat, Policy, PortForward, SourceNat
from twinwall.policy.sets import ANY_ADDRESS, AddressSet
from twinwall.render.nat import render_nat, unsupported_nat

SPAN = Span("policy.yaml", 7, 3)
LAN = AddressSet.of(ip_network("10.20.0.0/16"))
FORWARD = PortForward("wan0", 6, (8080, 8080), "10.20.0.80", 80, SPAN)


def test_nothing_without_the_section():
    assert render_nat(Nat()) == ""


def test_every_kind_has_its_chain():
    nat = Nat(("wan0",), (SourceNat("wan0", LAN, "203.0.113.5", SPAN),), (FORWARD,))
    assert render_nat(nat) == (
        "\tchain nat_in {\n"
        "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
        '\t\tiifname "wan0" meta nfproto ipv4 fib daddr type local tcp dport 8080 counter dnat ip to 10.20.0.80:80 '
        'comment "nat.forward, line 7"\n'
        "\t}\n"
        "\tchain nat_out {\n"
        "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
        '\t\toifname "wan0" ip saddr { 10.20.0.0-10.20.255.255 } counter snat ip to 203.0.113.5 comment "nat.source, line 7"\n'
        '\t\toifname "wan0" counter masquerade comment "nat.masquerade"\n'
        "\t}\n"
    )


def test_the_machines_own_connections_are_forwarded_where_an_address_is_given():
    forward = PortForward("wan0", 17, (8000, 8010), "2001:db8::1", None, SPAN, "2001:db8:ffff::9")
    assert "chain nat_own" in render_nat(Nat(forward=(forward,)))
    assert "ip6 daddr 2001:db8:ffff::9 udp dport 8000-8010 counter dnat ip6 to 2001:db8::1 " in render_nat(
        Nat(forward=(forward,))
    )


@pytest.mark.parametrize(
    ("nat", "mode", "what"),
    [
        (Nat(("wan0",)), Mode.HOST, "two sides"),
        (Nat(("wan0",)), Mode.BRIDGE, "two sides"),
        (Nat(source=(SourceNat("wan0", LAN, "2001:db8::1", SPAN),)), Mode.GATEWAY, "IP version"),
        (Nat(forward=(PortForward("wan0", 6, (80, 80), "10.0.0.1", None, SPAN, "2001:db8::1"),)), Mode.GATEWAY, "2001:db8::1"),
    ],
)
def test_what_linux_cannot_translate_is_refused(nat, mode, what):
    found = list(unsupported_nat(Policy(nat=nat, attach=Attach(mode, ("lan0",), ("wan0",)))))
    assert len(found) == 1
    assert what in found[0].what


def test_a_sound_section_is_not_refused():
    policy = Policy(nat=Nat(("wan0",), (SourceNat("wan0", ANY_ADDRESS, "203.0.113.5", SPAN),), (FORWARD,)), attach=Attach())
    assert not list(unsupported_nat(policy))


@pytest.mark.kernel
def test_connections_arrive_translated():
    if why_unavailable():
        pytest.skip(why_unavailable())
    gateway, outside = Namespace(), Namespace()
    try:
        link(gateway, outside)
        forward = PortForward("wan0", 17, (8080, 8080), "10.20.0.1", 80, SPAN, "203.0.113.1")
        nat = Nat((), (SourceNat("wan0", LAN, "203.0.113.5", SPAN),), (forward,))
        gateway.run("nft", "-f", "-", text=f"table inet twinwall {{\n{render_nat(nat)}}}\n")
        with gateway.entered():
            inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            inside.bind(("10.20.0.1", 80))
            inside.settimeout(5)
        with outside.entered():
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            client.bind(("203.0.113.2", 5000))
            client.settimeout(5)
            other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            other.bind(("203.0.113.2", 5001))
            other.settimeout(5)
        with inside, client, other:
            client.sendto(b"in", ("203.0.113.1", 8080))  # goes to port 80 of the inside address
            assert inside.recvfrom(100) == (b"in", ("203.0.113.2", 5000))
            inside.sendto(b"back", ("203.0.113.2", 5000))
            assert client.recvfrom(100) == (b"back", ("203.0.113.1", 8080))
            inside.sendto(b"out", ("203.0.113.2", 5001))
            assert other.recvfrom(100)[1][0] == "203.0.113.5"
    finally:
        gateway.close()
        outside.close()


def link(gateway: Namespace, outside: Namespace) -> None:
    """Two namespaces with a wire between them, and the inside address on the gateway itself."""
    gateway.run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "far", "netns", str(outside.holder.pid))
    for place, name, address in ((gateway, "wan0", "203.0.113.1/24"), (outside, "far", "203.0.113.2/24")):
        place.run("ip", "addr", "add", address, "dev", name)
        place.run("ip", "link", "set", name, "up")
        place.run("ip", "link", "set", "lo", "up")
    gateway.run("ip", "addr", "add", "10.20.0.1/32", "dev", "lo")
