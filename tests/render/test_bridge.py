"""Bridge mode: ports are known in the bridge's table, and what br_netfilter does not hand over does not pass."""

from __future__ import annotations

import socket
import time

import pytest

from tests.oracle.kernel import Namespace, why_unavailable
from tests.render.rendering import ATTACH, chains_of, policy_of, text_of
from twinwall.render.bridge import bridge_table
from twinwall.render.marks import BRIDGED, STATELESS_PASS
from twinwall.render.options import RenderOptions, StatelessWay

BRIDGE = ATTACH.replace("gateway", "bridge")
POLICY = policy_of("pass udp any any -> any 7000 ()", default="drop_strict", attach=BRIDGE)
OPTIONS = RenderOptions(stateless=StatelessWay.NFT)
PATIENCE = 5


def test_the_stamp_becomes_a_mark_that_only_the_judge_takes_off():
    chains = chains_of(bridge_table(POLICY.attach, 1).body)
    assert chains["stamp_forward"] == [f"meta mark set {BRIDGED:#010x} accept"]
    assert chains["stamp_pass"] == [f"meta mark set {STATELESS_PASS:#010x} notrack accept"]
    assert any("drop_unjudged drop" in line for line in chains["judged"])


def test_the_inet_side_asks_for_the_mark_and_not_for_interfaces():
    chains = chains_of(text_of(POLICY, OPTIONS).split("table inet twinwall {")[1])
    assert chains["forward"][1] == f"meta mark & {BRIDGED:#010x} != 0x0 meta mark set meta mark & 0xefffffff goto judge"
    assert "early" not in chains


class Wire:
    """left ── lan0 [br0] wan0 ── right, and a third port `other0` that is not attached."""

    def __init__(self) -> None:
        self.bridge, self.left, self.right = Namespace(), Namespace(), Namespace()
        self.bridge.run("ip", "link", "add", "br0", "type", "bridge")
        for port, space, number in (("lan0", self.left, 1), ("wan0", self.right, 2), ("other0", self.left, 3)):
            far = f"far{number}"
            self.bridge.run("ip", "link", "add", port, "type", "veth", "peer", "name", far, "netns", str(space.holder.pid))
            self.bridge.run("ip", "link", "set", port, "master", "br0", "up")
            space.run("ip", "addr", "add", f"192.0.2.{number}/{24 if number < 3 else 32}", "dev", far)
            space.run("ip", "link", "set", far, "up")
            space.run("ip", "link", "set", far, "address", f"02:00:00:00:00:0{number}")
            for other in (1, 2):
                mac = f"02:00:00:00:00:0{other}"
                space.run("ip", "neigh", "add", f"192.0.2.{other}", "lladdr", mac, "dev", far, "nud", "permanent")
        self.bridge.run("ip", "link", "set", "br0", "up")
        with self.right.entered():
            self.sockets = {port: bound(port) for port in (7000, 7001)}
        with self.left.entered():
            self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def close(self) -> None:
        for each in (*self.sockets.values(), self.sender):
            each.close()
        for space in (self.left, self.right, self.bridge):
            space.close()

    def send(self, port: int) -> None:
        self.sender.sendto(str(port).encode(), ("192.0.2.2", port))

    def counter(self, family: str, name: str) -> int:
        listed = self.bridge.run("nft", "list", "counter", family, "twinwall", name)
        return int(listed.split("packets ")[1].split()[0])


def bound(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("192.0.2.2", port))
    return found


@pytest.fixture
def wire():
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    try:
        made = Wire()
    except RuntimeError as error:
        pytest.skip(f"no bridge here: {error}")
    try:
        made.bridge.run("sh", "-c", "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables")
        made.bridge.run("nft", "-f", "-", text=text_of(POLICY, OPTIONS))
        yield made
    finally:
        made.close()


def until(wire: Wire, port: int, happened) -> None:
    """Send until something is so: a port that has just come up does not forward at once."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        wire.send(port)
        time.sleep(0.01)


def arrived(wire: Wire, port: int) -> bool:
    wire.sockets[port].setblocking(False)
    try:
        return wire.sockets[port].recv(100) == str(port).encode()
    except BlockingIOError:
        return False


@pytest.mark.kernel
def test_the_stateful_rules_judge_what_is_bridged(wire: Wire):
    until(wire, 7000, lambda: arrived(wire, 7000))
    wire.send(7001)
    until(wire, 7000, lambda: arrived(wire, 7000))
    assert not arrived(wire, 7001)
    assert wire.counter("inet", "drop_default_drop_strict") >= 1


@pytest.mark.kernel
def test_what_br_netfilter_does_not_hand_over_does_not_pass(wire: Wire):
    until(wire, 7000, lambda: arrived(wire, 7000))
    wire.bridge.run("sh", "-c", "echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables")
    while arrived(wire, 7000):
        pass
    wire.send(7000)
    until(wire, 7000, lambda: wire.counter("bridge", "drop_unjudged") >= 1)
    assert not arrived(wire, 7000)


@pytest.mark.kernel
def test_what_comes_in_through_a_port_that_is_not_attached_does_not_pass(wire: Wire):
    wire.left.run("ip", "link", "set", "far1", "down")
    wire.left.run("ip", "route", "add", "192.0.2.2/32", "dev", "far3")
    until(wire, 7000, lambda: wire.counter("bridge", "drop_unattached") >= 1)
    assert not arrived(wire, 7000)
