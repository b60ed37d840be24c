"""What closes a machine whose policy cannot be loaded: what gets in then, and what does not.

That nothing is routed by a gateway then is tested by `tests.enforce.test_boot`, which lets a start fail.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket

import pytest

from tests.enforce.test_commands import until
from tests.live.namespace import in_namespace, namespace
from tests.oracle.kernel import packet_socket
from twinwall.enforce.closed import closed_ruleset
from twinwall.live import nft
from twinwall.policy.model import Mode

pytestmark = pytest.mark.kernel
HERE, THERE = "10.9.0.1", "10.9.0.2"
FRAME = b"\xff" * 6 + b"\x02\0\0\0\0\x09\x88\xb5" + bytes(46)  # of no protocol: only the bridge itself looks at it
TABLES = {Mode.GATEWAY: {"inet"}, Mode.BRIDGE: {"inet", "bridge"}, Mode.HOST: {"inet"}}

space = pytest.fixture(in_namespace)


@contextlib.contextmanager
def neighbours(*links):
    """This machine, entered, with links to another: `(name here, name there)`."""
    with namespace() as here, namespace() as there:
        for near, far in links:
            here.run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", str(there.holder.pid))
            for machine, name in ((here, near), (there, far)):
                machine.run("sh", "-ec", f"ip link set {name} addrgenmode none; ip link set {name} up")
        with here.entered():
            yield here, there


def refused(machine, family):
    """How many packets the closed machine has dropped."""
    rules = json.loads(machine.run("nft", "-j", "list", "table", family, "twinwall"))["nftables"]
    (dropping,) = (each["rule"] for each in rules if each.get("rule", {}).get("comment") == "closed")
    return next(part["counter"]["packets"] for part in dropping["expr"] if "counter" in part)


def came_to(link):
    """What a socket has received by now."""
    seen = []
    while select.select([link], [], [], 0)[0]:
        seen.append(link.recv(2048))
    return seen


@pytest.mark.parametrize("mode", Mode)
def test_it_takes_the_place_of_whatever_is_there_itself_too(space, mode):
    space.run("nft", "table inet twinwall { chain old { }; }")
    for _ in range(2):
        nft.load(closed_ruleset(mode))
    assert "chain old" not in space.run("nft", "list", "ruleset")
    tables = [line.split()[1:] for line in space.run("nft", "list", "tables").splitlines()]
    assert sorted(tables) == sorted([family, "twinwall"] for family in TABLES[mode])


def test_a_host_lets_in_ssh_and_what_belongs_to_connections_and_nothing_else():
    with neighbours(("in0", "far")) as (here, there), contextlib.ExitStack() as stack:
        here.run("ip", "addr", "add", f"{HERE}/24", "dev", "in0")
        there.run("ip", "addr", "add", f"{THERE}/24", "dev", "far")
        ssh, web = (stack.enter_context(socket.create_server((HERE, port))) for port in (22, 80))
        with there.entered():
            before, late = (stack.enter_context(socket.socket()) for _ in range(2))
            knocking = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for each in (ssh, web, before, late):
            each.settimeout(10)
        nft.load("table inet twinwall { chain c { type filter hook input priority 0; ct state new accept; }; }")  # a policy
        before.connect((HERE, 80))
        accepted = stack.enter_context(web.accept()[0])
        accepted.settimeout(10)
        nft.load(closed_ruleset(Mode.HOST))
        knocking.sendto(b"x", (HERE, 53))
        until(lambda: refused(here, "inet") == 1)
        before.sendall(b"still there")
        assert accepted.recv(100) == b"still there"
        late.connect((HERE, 22))
        stack.enter_context(ssh.accept()[0])
        assert refused(here, "inet") == 1
        with there.entered():
            shut_out = stack.enter_context(socket.socket())
        shut_out.setblocking(False)
        shut_out.connect_ex((HERE, 80))
        until(lambda: refused(here, "inet") == 2)
        assert select.select([web], [], [], 0)[0] == []


def test_a_host_can_still_be_pinged_and_talks_to_itself():
    with neighbours(("in0", "far")) as (here, there):
        here.run("ip", "addr", "add", f"{HERE}/24", "dev", "in0")
        there.run("ip", "addr", "add", f"{THERE}/24", "dev", "far")
        nft.load(closed_ruleset(Mode.HOST))
        there.run("ping", "-c1", "-W5", HERE)
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=10).close()


def test_a_bridge_forwards_nothing():
    with neighbours(("in0", "near"), ("out0", "far")) as (here, there):
        here.run("sh", "-ec", "ip link add br0 type bridge; ip link set br0 addrgenmode none up")
        here.run("sh", "-ec", "for port in in0 out0; do ip link set $port master br0; done")
        with there.entered():
            near, far = packet_socket("near"), packet_socket("far")
        with near, far:
            until(lambda: near.send(FRAME) and FRAME in came_to(far))  # the bridge's ports are up
            nft.load(closed_ruleset(Mode.BRIDGE))
            near.send(FRAME + b"closed")
            until(lambda: refused(here, "bridge") > 0)
            assert FRAME + b"closed" not in came_to(far)
