"""A port of a bridge, a bond or a VRF is not where its packets come in for the stateful stage: refused, and seen afterwards."""

from __future__ import annotations

import contextlib
import re
import select
import socket

import pytest

from tests.enforce.world import World, frame
from tests.live.namespace import why_unavailable
from tests.oracle.kernel import INSIDE_MAC
from twinwall.enforce.masters import beside, hidden, refuse_hidden
from twinwall.enforce.state import State
from twinwall.enforce.status import Observer
from twinwall.enforce.status_problems import problems, remarks
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip
from twinwall.live.error import EnforcementError
from twinwall.live.links import Link
from twinwall.policy.model import Attach, Mode

ETHERNET = 1
BRIDGE = "ip link add br0 type bridge; ip link set br0 up; ip link set in0 master br0"


def links(kind):
    return Link(1, "eth0", ETHERNET, True, 1500, "", (), 7), Link(7, "above0", ETHERNET, True, 1500, kind, ())


@pytest.mark.parametrize("kind", ["bridge", "bond", "vrf", "team"])
@pytest.mark.parametrize("mode", Mode)
def test_a_port_is_refused_unless_the_mode_is_about_ports(kind, mode):
    attach = Attach(mode=mode, inside=("eth0",))
    if (mode, kind) == (Mode.BRIDGE, "bridge"):
        refuse_hidden(attach, links(kind))
        return
    with pytest.raises(EnforcementError, match="eth0: it belongs to above0") as caught:
        refuse_hidden(attach, links(kind))
    assert "nomaster" in caught.value.remedy
    assert ("attach above0" in caught.value.remedy) == (kind != "vrf")


def test_what_stands_alone_or_is_not_there_is_fine():
    alone = Link(1, "eth0", ETHERNET, True, 1500, "", ())
    assert not hidden(Attach(mode=Mode.HOST, inside=("eth0",), outside=("eth9",)), [alone])


@pytest.mark.kernel
def test_a_port_is_refused_by_apply_and_told_by_status():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as world:
        world.router.run("sh", "-ec", BRIDGE)
        assert "in0: it belongs to br0" in world.apply("a", "--stateless", "nft", expect=None)
        assert world.enforced() != "a"
        world.router.run("ip", "link", "set", "in0", "nomaster")
        world.apply("a", "--stateless", "nft")
        world.router.run("ip", "link", "set", "in0", "master", "br0")
        with world.router.entered():
            found = problems(Observer(State(world.state)).look())
        assert [(each.kind, "in0 belongs to br0" in each.text) for each in found] == [("hidden", True)]


def test_a_vlan_on_an_attached_interface_stands_beside_it_and_a_veth_s_other_end_does_not():
    below = Link(1, "eth0", ETHERNET, True, 1500, "", ())
    vlan = Link(2, "eth0.5", ETHERNET, True, 1500, "vlan", (), lower=1)
    others = [
        Link(3, "veth0", ETHERNET, True, 1500, "veth", (), lower=1),
        Link(4, "x.5", ETHERNET, True, 1500, "vlan", (), lower=9),
    ]
    attach = Attach(mode=Mode.HOST, inside=("eth0",))
    assert list(beside(attach, [below, vlan, *others])) == [(vlan, below)]
    assert not list(beside(Attach(mode=Mode.HOST, inside=("eth0", "eth0.5")), [below, vlan]))


@pytest.mark.kernel
def test_what_stands_on_an_attached_interface_and_is_not_attached_is_remarked():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as world:
        world.apply("a", "--stateless", "nft")
        kind = "type macvlan mode bridge"
        add = f"ip link add above0 link in0 {kind}; ip link add other0 type bridge; ip link add on0 link other0 {kind}"
        world.router.run("sh", "-ec", add)
        with world.router.entered():
            status = Observer(State(world.state)).look()
        assert problems(status) == ()
        assert [text for text in remarks(status) if "stands on" in text] == [
            "above0 stands on in0 and is not attached: the stateful stage does not see what comes in through it"
        ]


OPEN, SHUT = 1002, 2000  # what the policy passes to the host, and what it does not


@contextlib.contextmanager
def listening(world):
    """Two sockets of the host, and a function that says which of them a packet from inside comes to."""
    world.router.run("sh", "-ec", "ip link set lo up; ip addr add 203.0.113.9/32 dev lo")
    with world.router.entered():
        sockets = {port: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for port in (SHUT, OPEN)}
    with contextlib.ExitStack() as stack:
        for port, each in sockets.items():
            stack.enter_context(each).bind(("203.0.113.9", port))

        def reached():
            for port in sockets:
                world._near.send(frame(encode_ip(Conversation().say(f"udp 198.51.100.9:4000 > 203.0.113.9:{port} len 8"))))
            found = set()
            while ready := select.select(sockets.values(), [], [], PATIENCE if not found else BRIEFLY)[0]:
                found |= {each.getsockname()[1] for each in ready if each.recv(100)}
                if OPEN in found:
                    break
            return found

        yield reached


PATIENCE, BRIEFLY = 1, 0.2


@pytest.mark.kernel
@pytest.mark.parametrize("way", ["xdp", "nft"])
def test_what_comes_in_through_a_port_is_dropped_before_anybody_looks(way):
    """On a host, where it would have come by an interface that the policy does not speak of."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as world:
        world.router.run("sh", "-ec", "ip route add 198.51.100.0/24 dev in0")
        world.twinwall("apply", world.policies["a"], "--mode", "host", "--inside", "in0", "--yes", "--stateless", way)
        with listening(world) as reached:
            assert reached() == {OPEN}
            bridge = f"{BRIDGE}; ip link set br0 address {INSIDE_MAC}; echo 0 > /proc/sys/net/ipv4/conf/br0/rp_filter"
            world.router.run("sh", "-ec", f"{bridge}; ip route replace 198.51.100.0/24 dev br0")
            assert reached() == set()
            assert counted(world, "drop_ported") >= 2
            world.twinwall("guard", "--once", expect=7)
            world.router.run("sh", "-ec", "ip route replace 198.51.100.0/24 dev in0")
            assert reached() == {OPEN}


def counted(world, name):
    found = re.search(rf"counter {name}\S* {{\s+packets (\d+)", world.router.run("nft", "list", "table", "inet", "twinwall"))
    return int(found[1])
