"""Host mode, with real sockets: what comes in, what the host itself opens, and what is not attached."""

from __future__ import annotations

import contextlib
import socket

import pytest

from tests.oracle.kernel import Namespace, why_unavailable
from tests.render.rendering import policy_of, text_of
from twinwall.render.options import RenderOptions, StatelessWay
from twinwall.render.sysctls import render_sysctls

HOST, PEER = "192.0.2.1", "192.0.2.2"
ATTACH = "attach: {mode: host, outside: [wan0]}"
POLICY = policy_of(
    f"pass tcp any any -> {HOST} 7000 ()",
    f"pass udp {HOST} any -> {PEER} 7002 ()",
    f"reject tcp any any -> {HOST} 7003 ()",
    default="drop_strict",
    attach=ATTACH,
)
PATIENCE = 5


class World:
    """host wan0 ── far peer."""

    def __init__(self) -> None:
        self.host, self.peer = Namespace(), Namespace()
        self.host.run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "far", "netns", str(self.peer.holder.pid))
        for space, link, address in ((self.host, "wan0", HOST), (self.peer, "far", PEER)):
            space.run("ip", "addr", "add", f"{address}/24", "dev", link)
            space.run("ip", "link", "set", link, "up")
            space.run("ip", "link", "set", "lo", "up")
        for setting in render_sysctls(POLICY):
            self.host.run("sh", "-c", f"echo {setting.value} > /proc/sys/{setting.name.replace('.', '/')} || true")
        self.host.run("nft", "-f", "-", text=text_of(POLICY, RenderOptions(stateless=StatelessWay.NFT)))
        self.stack = contextlib.ExitStack()

    def close(self) -> None:
        self.stack.close()
        self.host.close()
        self.peer.close()

    def socket(self, space: Namespace, kind: socket.SocketKind, address: tuple[str, int] | None = None) -> socket.socket:
        with space.entered():
            made = self.stack.enter_context(socket.socket(socket.AF_INET, kind))
        made.settimeout(PATIENCE)
        if address is not None:
            made.bind(address)
        return made

    def counter(self, name: str) -> int:
        return int(self.host.run("nft", "list", "counter", "inet", "twinwall", name).split("packets ")[1].split()[0])


@pytest.fixture
def world():
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    made = World()
    yield made
    made.close()


@pytest.mark.kernel
def test_a_service_is_reached_and_answers(world: World):
    service = world.socket(world.host, socket.SOCK_STREAM, (HOST, 7000))
    service.listen()
    client = world.socket(world.peer, socket.SOCK_STREAM)
    client.connect((HOST, 7000))
    served = world.stack.enter_context(service.accept()[0])
    served.sendall(b"hello")
    assert client.recv(100) == b"hello"


@pytest.mark.kernel
def test_a_rejected_service_refuses_at_once(world: World):
    world.socket(world.host, socket.SOCK_STREAM, (HOST, 7003)).listen()
    with pytest.raises(ConnectionRefusedError):
        world.socket(world.peer, socket.SOCK_STREAM).connect((HOST, 7003))
    assert world.counter("reject_rule_flow") == 1


@pytest.mark.kernel
def test_the_hosts_own_packets_are_judged_too(world: World):
    allowed = world.socket(world.peer, socket.SOCK_DGRAM, (PEER, 7002))
    denied = world.socket(world.peer, socket.SOCK_DGRAM, (PEER, 7004))
    sender = world.socket(world.host, socket.SOCK_DGRAM)
    with contextlib.suppress(PermissionError):  # a packet that output drops is an error of its sender
        sender.sendto(b"no", (PEER, 7004))
    sender.sendto(b"yes", (PEER, 7002))
    text, address = allowed.recvfrom(100)
    assert text == b"yes"
    denied.setblocking(False)
    with pytest.raises(BlockingIOError):
        denied.recv(100)
    assert world.counter("drop_default_drop_strict") >= 1
    allowed.sendto(b"answer", address)
    assert sender.recv(100) == b"answer"


@pytest.mark.kernel
def test_what_is_not_attached_is_not_asked_about(world: World):
    receiver = world.socket(world.host, socket.SOCK_DGRAM, ("127.0.0.1", 7005))
    world.socket(world.host, socket.SOCK_DGRAM).sendto(b"to myself", ("127.0.0.1", 7005))
    assert receiver.recv(100) == b"to myself"
