"""What it costs to forward: established connections and new ones, beside a minimal hand-written ruleset and none at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.kernel.frames import TCP, UDP, frame, generator, receive
from bench.kernel.place import INSIDE, OUTSIDE, clear_rules, command, number_of
from bench.policies import stateful_rules
from twinwall.lab.bare import bare
from twinwall.lab.places import Place
from twinwall.lab.shield import Shield
from twinwall.live.bpf_programs import Program
from twinwall.live.xdp import XdpStage
from twinwall.rules.policy_file import read_policy_text

NOTHING, BY_HAND, FLOW, PACKET = "no firewall", "hand-written nft", "twinwall, a flow rule", "twinwall, a packet rule"
BEHIND = "hand-written nft, behind an XDP program that passes all"
FORMS = (NOTHING, BY_HAND, BEHIND, FLOW, PACKET)
ESTABLISHED_PACKETS, NEW_CONNECTIONS = 300_000, 40_000
NEW_SIZES = (10, 10_000)
STREAM_SECONDS = 3
STREAM_PORT = 5201

HAND_WRITTEN = """table inet bench {
 chain forward {
  type filter hook forward priority filter; policy drop
  ct state established,related accept
  ct state invalid drop
  ip saddr 10.1.0.0/16 udp dport 53 accept
  ip saddr 10.1.0.0/16 tcp dport 5201 accept
 }
}
"""

POLICY = """twinwall: 1
stateful:
  order: strict
  default: drop_strict
  rules: |
{rules}
attach:
  mode: gateway
  inside: in0
  outside: out0
"""
LAST = {
    FLOW: [
        "pass udp 10.1.0.0/16 any -> any 53 (sid:1;)",
        "pass tcp 10.1.0.0/16 any -> any 5201 (sid:2;)",
    ],
    PACKET: [
        "pass udp 10.1.0.0/16 any <> any 53 (flow:stateless; sid:1;)",
        "pass tcp 10.1.0.0/16 any <> any 5201 (flow:stateless; sid:2;)",
    ],
}


def policy(form: str, more: int = 0) -> str:
    """A policy that passes the bench's traffic by its last rules, behind `more` others that do not match."""
    lines = [*(stateful_rules(more)[:-2] if more else []), *LAST[form]]
    return POLICY.format(rules="\n".join(f"    {line}" for line in lines))


@dataclass
class Forwarding:
    """Samples, one a round: nanoseconds a packet, Gbit/s of a TCP stream, nanoseconds a new connection."""

    packets: dict[str, list[float]] = field(default_factory=dict)
    streams: dict[str, list[float]] = field(default_factory=dict)
    connections: dict[int, list[float]] = field(default_factory=dict)

    def packet(self, form: str) -> float:
        """Nanoseconds to forward a packet of an established flow."""
        return median(self.packets[form])

    def stream(self, form: str) -> float:
        """Gbit/s of one TCP connection."""
        return median(self.streams[form])

    def connection(self, size: int) -> float:
        """Nanoseconds for the first packet of a connection, with so many stateful rules."""
        return median(self.connections[size])


def measure(rounds: int, inside: Place, outside: Place, show: Callable[[str], None]) -> Forwarding:
    """Take turns: in every round each form forwards packets and a stream; then new connections by number of rules."""
    found = Forwarding()
    for turn in range(rounds):
        for form in FORMS:
            show(f"forwarding: round {turn + 1} of {rounds}, {form}")
            with in_force(form) as program:
                found.packets.setdefault(form, []).append(established(program, outside))
                found.streams.setdefault(form, []).append(stream(inside, outside))
        for size in NEW_SIZES:
            show(f"new connections: round {turn + 1} of {rounds}, {size:,} rules")
            with in_force(FLOW, size) as program:
                found.connections.setdefault(size, []).append(fresh(program))
    return found


@contextmanager
def in_force(form: str, more: int = 0) -> Iterator[Program | None]:
    """One form in the kernel; the XDP program that the frames pass through first, if there is one."""
    clear_rules()
    try:
        if form in LAST:
            with tempfile.TemporaryDirectory() as folder:
                parsed, mistakes = read_policy_text(policy(form, more), "bench", lambda name: Path(name).read_text())
                assert parsed is not None, mistakes
                shield = Shield(Path(folder))
                shield.change(parsed)
                try:
                    stage = XdpStage.of(INSIDE)
                    yield stage.program if stage else None
                finally:
                    shield.remove()
            return
        if form in (BY_HAND, BEHIND):
            command("nft", "-f", "-", text=HAND_WRITTEN)
        if form == BEHIND:
            with bare((INSIDE, OUTSIDE)) as program:
                yield program
            return
        yield None
    finally:
        clear_rules()


def established(program: Program | None, outside: Place) -> float:
    """Small UDP packets of one flow that has been answered."""
    question = frame("10.1.0.5", "10.2.0.9", UDP, 40_000, 53)
    with generator(question, spread=False, to=program) as questions:
        receive(questions.program, question, number_of(INSIDE), 64)
        answer(outside)
        receive(questions.program, question, number_of(INSIDE), 10_000)
        return receive(questions.program, question, number_of(INSIDE), ESTABLISHED_PACKETS)


def answer(outside: Place) -> None:
    """One answer to the flow of `established`, from the other side, through whatever is in force there."""
    script = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.bind(('10.2.0.9', 53))\n"
        "s.sendto(b'answer', ('10.1.0.5', 40000))\n"
    )
    outside.run("python3", "-c", script)


def fresh(program: Program | None) -> float:
    """First packets: every one from another port, so that nearly each is a new connection."""
    sample = frame("10.1.0.5", "10.2.0.9", UDP, 40_000, 53)
    with generator(sample, spread=True, to=program) as firsts:
        return receive(firsts.program, sample, number_of(INSIDE), NEW_CONNECTIONS)


def stream(inside: Place, outside: Place) -> float:
    """Gbit/s that iperf3 gets through one TCP connection."""
    outside.run("iperf3", "--server", "--one-off", "--daemon", "--bind", "10.2.0.9")
    said = inside.run("iperf3", "--client", "10.2.0.9", "--time", str(STREAM_SECONDS), "--json")
    return float(json.loads(said)["end"]["sum_received"]["bits_per_second"]) / 1e9


__all__ = [
    "BEHIND",
    "BY_HAND",
    "FLOW",
    "FORMS",
    "NEW_SIZES",
    "NOTHING",
    "OUTSIDE",
    "PACKET",
    "TCP",
    "Forwarding",
    "measure",
    "policy",
]
