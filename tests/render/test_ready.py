"""Nothing slips through while one ruleset replaces another, though the kernel fills large maps a moment after the switch."""

from __future__ import annotations

import contextlib
import re
import struct
import threading
from collections import Counter

import pytest

from tests.oracle.kernel import Namespace, packet_socket, why_unavailable
from tests.packets import ipv4, udp
from tests.render.rendering import ATTACH
from twinwall.live import nft
from twinwall.live.grace import wait_for_packets
from twinwall.live.nft import Table
from twinwall.live.nft_counts import read_counts
from twinwall.live.nft_objects import sweep, unhook
from twinwall.render.options import RenderOptions, StatelessWay
from twinwall.render.ready import INET
from twinwall.render.ruleset import render_ruleset
from twinwall.render.stateless import remove_table, stateless_table, table_name
from twinwall.render.switch import hook_text
from twinwall.rules.policy_file import read_policy_text

RELOADS = 8
RULES = 1500
GATEWAY = """
ip link set lo up
ip link set lan0 up
ip link set wan0 up
ip addr add 192.0.2.1/24 dev lan0
ip addr add 198.51.100.1/24 dev wan0
ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:07 dev wan0 nud permanent
sysctl -qw net.ipv4.ip_forward=1
"""


SEEN = """table netdev seen {
\tchain in { type filter hook ingress device "lan0" priority -500; udp dport 7000 counter; }
}
table inet seen {
\tchain out { type filter hook postrouting priority 300; udp dport 7000 counter; udp dport 6000 counter; }
}
"""


class Wires:
    """A gateway between two links whose far ends are packet sockets."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.gateway, far = Namespace(), Namespace()
        stack.callback(self.gateway.close)
        stack.callback(far.close)
        for near, end in (("lan0", "inside"), ("wan0", "outside")):
            self.gateway.run("ip", "link", "add", near, "type", "veth", "peer", "name", end, "netns", str(far.holder.pid))
            far.run("ip", "link", "set", end, "up")
        for line in GATEWAY.strip().splitlines():
            self.gateway.run(*line.split())
        with far.entered():
            self.inside, self.outside = (stack.enter_context(packet_socket(name)) for name in ("inside", "outside"))
        mac = next(word for word in self.gateway.run("ip", "-o", "link", "show", "lan0").split() if word.count(":") == 5)
        self.link = bytes.fromhex(mac.replace(":", "")) + b"\x02\0\0\0\0\x09\x08\0"

    def datagram(self, port: int) -> bytes:
        head = bytearray(ipv4(udp(5000, port, bytes(20)), 17, bytes([192, 0, 2, 2]), bytes([198, 51, 100, 2])))
        total = sum(struct.unpack_from("!10H", head))
        total = (total & 0xFFFF) + (total >> 16)
        head[10:12] = struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
        return self.link + bytes(head)

    def counted(self) -> list[int]:
        """Packets to port 7000 that came in, and that went out, and to port 6000 that went out; links may lose some too.

        A packet may be on its way still: the counts are those that are the same twice.
        """
        before, now = self._counts(), self._counts()
        while now != before:
            before, now = now, self._counts()
        return now

    def _counts(self) -> list[int]:
        tables = self.gateway.run("nft", "list", "table", "netdev", "seen") + self.gateway.run(
            "nft", "list", "table", "inet", "seen"
        )
        return [int(each) for each in re.findall(r"counter packets (\d+)", tables)]

    def arrived(self) -> Counter[int]:
        """How many packets came out, by destination port."""
        self.outside.settimeout(0.2)
        ports: Counter[int] = Counter()
        with contextlib.suppress(TimeoutError):
            while True:
                frame = self.outside.recv(2048)
                if frame[12:14] == b"\x08\0":
                    ports[int.from_bytes(frame[36:38])] += 1
        return ports


@pytest.fixture
def wires():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with contextlib.ExitStack() as stack:
        yield Wires(stack)


def policy(stage: str):
    others = "".join(f"    drop udp any any -> 10.{n >> 8}.{n & 255}.0/24 1000:1010 (sid:{n + 2};)\n" for n in range(RULES))
    rules = f"  rules: |\n    drop udp any any -> 198.51.100.0/24 [6000:6009] (sid:1;)\n{others}"
    text = f"twinwall: 1\n{stage}:\n{rules}{ATTACH}"
    found, diagnostics = read_policy_text(text, "p.yaml", lambda _: "", lambda _: [])
    assert found is not None, diagnostics
    return found


def take_over(found, generation: int) -> None:
    """Put a policy into the place of another one under traffic, as `enforce.linux` does."""
    ruleset = render_ruleset(found, RenderOptions(generation, StatelessWay.NFT))
    stamps = stateless_table(found, found.attach, generation, direct=False)
    nft.load(ruleset.stage)
    nft.load(remove_table(generation) + stamps.staged(generation))
    nft.load(hook_text(stamps.hooks(), generation))
    wait_for_packets()  # that have one stamp only
    nft.load(ruleset.switch({}))
    nft.load(unhook(tables=[Table("netdev", table_name(generation + 1))]) or "# nothing\n")
    wait_for_packets()  # that are in what goes now: a table that goes with its hook is empty to those
    nft.load(remove_table(generation + 1))
    nft.load(sweep(lambda each: each != generation) or "# nothing\n")


@pytest.mark.kernel
@pytest.mark.parametrize("stage", ["stateless", "stateful"])
def test_nothing_slips_through_a_switch_and_nothing_is_lost(wires, stage):
    found = policy(stage)
    done = threading.Event()

    def send() -> None:
        while not done.is_set():
            wires.inside.send(wires.datagram(6000))
            wires.inside.send(wires.datagram(7000))

    with wires.gateway.entered():
        take_over(found, 1)
    wires.gateway.run("nft", "-f", "-", text=SEEN)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        for reload in range(RELOADS):
            with wires.gateway.entered():
                take_over(found, 2 - reload % 2)
    finally:
        done.set()
        sender.join()
    into, out, slipped = wires.counted()
    assert (slipped, into - out) == (0, 0)
    assert out > RELOADS


@pytest.mark.kernel
def test_while_it_is_not_ready_it_drops(wires):
    text = render_ruleset(policy("stateful"), RenderOptions(1, StatelessWay.NFT)).text
    filled = INET.filled("inet twinwall")
    assert text.endswith(filled)
    with wires.gateway.entered():
        nft.load(text.removesuffix(filled))
        wires.inside.send(wires.datagram(7000))
        assert not wires.arrived()
        assert read_counts(nft.listing(Table("inet", "twinwall"))).verdicts["drop_not_ready"].packets == 1
        nft.load(filled)
        wires.inside.send(wires.datagram(7000))
        assert wires.arrived() == {7000: 1}
