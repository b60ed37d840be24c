"""A host under `drop_strict`: what the kernel itself sends, IPv6, and that nobody passes for a reject's answer."""

from __future__ import annotations

import contextlib
import errno
import re
import select
import socket

import pytest

from tests.fidelity.enforced import read_policy
from tests.live.namespace import namespace
from twinwall.live import nft, sysctl
from twinwall.render.marks import REJECTED
from twinwall.render.options import RenderOptions, StatelessWay
from twinwall.render.ruleset import render_ruleset
from twinwall.render.sysctls import render_sysctls

pytestmark = pytest.mark.kernel

HOST, PEER, HOST6, PEER6 = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"
PASSED, REFUSED, ONE_WAY, OTHER = 7000, 7001, 7002, 7003
SO_MARK = 36
PATIENCE = 20  # seconds after which a test has failed
POLICY = f"""twinwall: 1
attach: {{mode: host, outside: [wan0]}}
stateful:
  order: strict
  default: [drop_strict]
  rules: |
    pass icmpv6 any any -> any any (msg:"IPv6 neighbours"; itype:132<>137; ttl:255; sid:1;)
    pass tcp any any -> any {PASSED} (sid:2;)
    reject tcp any any -> any {REFUSED} (sid:3;)
    reject udp any any -> any {REFUSED} (sid:4;)
    pass tcp any any -> any {ONE_WAY} (flow:to_server; sid:5;)
"""
UNREACHABLE = {HOST: "No route to host", HOST6: "Permission denied"}  # what an administrator's prohibition is to a program


class World:
    """host wan0 ── far peer; no neighbour is in any cache."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self.host, self.peer = stack.enter_context(namespace()), stack.enter_context(namespace())
        self.host.run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "far", "netns", str(self.peer.holder.pid))
        for space, link, own in ((self.host, "wan0", (HOST, HOST6)), (self.peer, "far", (PEER, PEER6))):
            lines = (f"addr add {own[0]}/24 dev {link}", f"addr add {own[1]}/64 dev {link} nodad")
            space.run("ip", "-batch", "-", text="\n".join((f"link set {link} addrgenmode none up", *lines)))
        policy = read_policy(POLICY)
        with self.host.entered():
            for setting in render_sysctls(policy):
                if setting.required or "fwmark" in setting.name:
                    sysctl.write(setting.name, setting.value)
            nft.load(render_ruleset(policy, RenderOptions(stateless=StatelessWay.NFT)).text)

    def socket(self, space, to, kind=socket.SOCK_STREAM):
        with space.entered():
            made = self._stack.enter_context(socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, kind))
        made.settimeout(PATIENCE)
        return made

    def listening(self, port):
        made = self.socket(self.host, HOST6)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(("::", port))
        made.listen()
        return made

    def counted(self, name):
        return int(re.search(r"packets (\d+)", self.host.run("nft", "list", "counter", "inet", "twinwall", name))[1])


@pytest.fixture
def world():
    with contextlib.ExitStack() as stack:
        yield World(stack)


def until(holds):
    """Wait for the kernel, which hands packets over a little later than `send` returns."""
    for _ in range(PATIENCE * 200):
        if holds():
            return
        select.select([], [], [], 0.005)
    raise AssertionError("it never happened")


@pytest.mark.parametrize("to", [HOST, HOST6])
def test_connections_from_outside_are_passed_or_refused_at_once(world, to):
    world.listening(PASSED)
    world.socket(world.peer, to).connect((to, PASSED))
    with pytest.raises(ConnectionRefusedError):
        world.socket(world.peer, to).connect((to, REFUSED))
    assert world.counted("reject_rule_flow") == 1


@pytest.mark.parametrize("to", [HOST, HOST6])
def test_a_datagram_from_outside_is_refused_with_an_icmp_error(world, to):
    sender = world.socket(world.peer, to, socket.SOCK_DGRAM)
    sender.connect((to, REFUSED))
    sender.send(b"no")
    with pytest.raises(OSError, match=UNREACHABLE[to]):
        sender.recv(1)


@pytest.mark.parametrize("to", [PEER, PEER6])
def test_the_hosts_own_programs_are_refused_at_once(world, to):
    with pytest.raises(ConnectionRefusedError):
        world.socket(world.host, to).connect((to, REFUSED))
    sender = world.socket(world.host, to, socket.SOCK_DGRAM)
    with pytest.raises(PermissionError):
        sender.sendto(b"no", (to, REFUSED))


@pytest.mark.parametrize("to", [HOST, HOST6])
def test_a_reset_of_a_closed_port_is_judged_like_everything_else(world, to):
    with pytest.raises(ConnectionRefusedError):
        world.socket(world.peer, to).connect((to, PASSED))
    before = world.counted("drop_default_drop_strict")
    caller = world.socket(world.peer, to)
    caller.setblocking(False)
    assert caller.connect_ex((to, ONE_WAY)) == errno.EINPROGRESS
    until(lambda: world.counted("drop_default_drop_strict") > before)
    assert caller.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


@pytest.mark.parametrize("to", [PEER, PEER6])
def test_a_program_with_the_mark_of_an_answer_is_judged(world, to):
    sender = world.socket(world.host, to, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, SO_MARK, REJECTED)
    with pytest.raises(PermissionError):
        sender.sendto(b"not me", (to, OTHER))
    assert world.counted("drop_default_drop_strict") >= 1


def test_what_the_host_says_to_itself_is_not_judged(world):
    server = world.listening(REFUSED)
    world.socket(world.host, HOST6).connect(("::1", REFUSED))
    world.socket(world.host, HOST).connect((HOST, REFUSED))
    assert [server.accept()[1][0] for _ in range(2)] == ["::1", f"::ffff:{HOST}"]
