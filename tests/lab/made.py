"""Packets and outcomes made by hand for the lab's tests."""

from __future__ import annotations

import socket

from tests.packets import ethernet, icmp, ipv4, ipv6, tcp, udp
from twinwall.lab.addresses import PEOPLE
from twinwall.lab.messages import Cell, Change, CostsMeasured, Outcome, Reloaded
from twinwall.lab.page import Run
from twinwall.lab.scenarios import SCENARIOS, Kind
from twinwall.lab.table import Results
from twinwall.lab.tap import Seen

SYN, ACK = 2, 16
NAMES = ("stateless", "stateful", "both")


def address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def tcp4(source: str, target: str, ports: tuple[int, int] = (40000, 80), flags: int = SYN, **header: int) -> bytes:
    return ipv4(tcp(*ports, flags), 6, address(source), address(target), **header)


def udp4(source: str, target: str, ports: tuple[int, int] = (40000, 53), **header: int) -> bytes:
    return ipv4(udp(*ports, b"data"), 17, address(source), address(target), **header)


def icmp4(source: str, target: str) -> bytes:
    return ipv4(icmp(8, 0), 1, address(source), address(target))


def tcp6(source: str, target: str, hops: int = 64) -> bytes:
    return ipv6(tcp(40000, 80, SYN), 6, address(source), address(target), hops)


def frame(packet: bytes) -> bytes:
    return ethernet(packet, 0x0800 if packet[0] >> 4 == 4 else 0x86DD)


def seen(time: int, side: str, entering: bool, packet: bytes, padding: bytes = b"") -> Seen:
    return Seen(time, side, entering, frame(packet) + padding)


HOST, WEB = PEOPLE.host, PEOPLE.web


def outcome(name: str, *, wanted: bool = True, attacked: bool = False, **changed: Cell) -> Outcome:
    cells = {}
    for scenario in SCENARIOS:
        reached = wanted if scenario.kind is Kind.WANTED else attacked
        arrived = 7 if reached else 0
        cells[scenario.name] = changed.get(scenario.name.replace("-", "_")) or Cell(reached, "", 7, arrived, 9, 9, 3)
    return Outcome(name, cells, [], [], "xdp", 12)


def results(*outcomes: Outcome) -> Results:
    return Results("root", outcomes or tuple(outcome(name) for name in NAMES))


def run() -> Run:
    from twinwall.lab import costs

    changes = [Change("the session begins", True), Change("a policy without ssh", False)]
    reloaded = {name: Reloaded(changes, 400, 399, 0.123) for name in NAMES[:2]}
    times = {costs.key(name, kind): 1000.0 for name in costs.VARIANTS for kind in costs.KINDS}
    return Run(results(), reloaded, CostsMeasured(times, 256))
