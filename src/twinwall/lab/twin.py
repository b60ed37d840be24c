"""What replay says about the packets that went into the lab's firewall, held against what the kernel did with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twinwall.api import replay
from twinwall.capture.framer import native_framer
from twinwall.capture.writer import PcapngWriter
from twinwall.engine.machine import NativeMachine
from twinwall.lab.crossing import Crossing
from twinwall.path.layout import FRAME
from twinwall.path.reason import Verdict
from twinwall.targets.ebpf import load_program

if TYPE_CHECKING:
    from twinwall.engine.batch import DecisionBatch
    from twinwall.policy.model import Policy

ETHERNET_LINK = 1


@dataclass(frozen=True)
class Said:
    """What replay says about one packet; `words` has the packet, the verdict and the reason."""

    passed: bool
    words: str


def prepare(announce: Callable[[], None]) -> None:
    """Compile what the worlds need, if this machine has not done so yet: once, and not in every world."""
    native_framer(announce)
    NativeMachine(announce)
    load_program(announce=announce)


def write_capture(crossed: Sequence[Crossing], interfaces: Mapping[str, str], path: Path) -> None:
    """The packets as a capture of the firewall's interfaces: `interfaces` names them by side."""
    sides = list(interfaces)
    buffer = np.frombuffer(b"".join(each.frame for each in crossed), np.uint8)
    frames = np.zeros(len(crossed), FRAME)
    lengths = np.array([len(each.frame) for each in crossed], np.int64)
    frames["offset"] = np.cumsum(lengths) - lengths
    frames["captured_length"] = frames["wire_length"] = lengths
    frames["timestamp"] = [each.time for each in crossed]
    frames["linktype"] = ETHERNET_LINK
    frames["interface"] = [sides.index(each.side) + 1 for each in crossed]
    with PcapngWriter(path) as writer:
        writer.write_frames(buffer, frames, {number: interfaces[side] for number, side in enumerate(sides, 1)})


def judge(policy: Policy, crossed: Sequence[Crossing], interfaces: Mapping[str, str], folder: Path) -> list[Said]:
    """Replay's opinion of each packet, in order."""
    if not crossed:
        return []
    capture = folder / "firewall.pcapng"
    write_capture(crossed, interfaces, capture)
    return [said for batch in replay(policy, capture) for said in _opinions(batch)]


def _opinions(batch: DecisionBatch) -> list[Said]:
    names = ("proto", "src", "sport", "dst", "dport", "verdict", "reason", "sid", "ct_state")
    passed = batch.decisions["verdict"] == Verdict.PASS
    rows = zip(passed.tolist(), *(batch.column(name).tolist() for name in names), strict=True)
    return [Said(fate, _words(*rest)) for fate, *rest in rows]


def _words(proto: str, src: str, sport: int, dst: str, dport: int, verdict: str, reason: str, sid: int, state: str) -> str:
    ends = [f"{address}:{port}" if port >= 0 else address for address, port in ((src, sport), (dst, dport))]
    rule = f", sid {sid}" if sid else ""
    label = f", {state}" if state else ""
    return f"{proto} {ends[0]} > {ends[1]}: {verdict} ({reason}{rule}{label})"
