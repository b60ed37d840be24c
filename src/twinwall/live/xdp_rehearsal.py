"""What a running XDP stage decides about a frame, asked without a packet and without moving a counter.

The same program is loaded once more, with the running one's own table of rules and memory of its own for everything that it
writes; the kernel runs it on the frame (BPF_PROG_TEST_RUN).  That it is the same program, its tag says.  What it decided stands
in its counters, which nobody else has.
"""

from __future__ import annotations

import struct
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Self

from twinwall.live.bpf_maps import ARRAY, ArrayMap, PercpuArray, ProgramArray
from twinwall.live.error import EnforcementError
from twinwall.live.xdp import XdpCounters, XdpStage, load_for
from twinwall.live.xdp_control import FLAGS
from twinwall.live.xdp_maps import StageMaps
from twinwall.path.reason import Reason
from twinwall.render.marks import STAMP_SHIFTS, slot
from twinwall.targets.ebpf_entry import (
    CONTROL_SYMBOL,
    CONTROL_WORDS,
    COUNTER_BYTES,
    COUNTERS_SYMBOL,
    RECORD_VALUE_BYTES,
    RECORDS_SYMBOL,
    SUCCESSOR_SYMBOL,
)

XDP_DROP = 1
LOOPBACK = 1  # where the kernel's test run pretends that the frame came in
SHORTEST_FRAME = 14
ETHERTYPES = {4: 0x0800, 6: 0x86DD}


class Rehearsed(NamedTuple):
    """Why, by which rule (its place in the policy's stateless rules; None: by none), and whether XDP drops the frame."""

    reason: Reason
    rule: int | None
    dropped: bool


class Rehearsal:
    """The stage that runs on one interface, ready to be asked.  A context manager."""

    def __init__(self, interface: str) -> None:
        """Raises `EnforcementError`, also if no stage of ours runs there, or one of another version."""
        with ExitStack() as stack:
            running = XdpStage.of(interface)
            if running is None:
                raise EnforcementError(f"ask the XDP program of {interface}", "there is none", "see `twinwall status`")
            stack.enter_context(running)
            maps = _memory(running.maps)
            stack.callback(maps.close)
            self._stage = XdpStage(stack.enter_context(load_for(maps)), maps)
            if self._stage.program.about().tag != running.program.about().tag:
                cause = "it is of another version of twinwall"
                raise EnforcementError(f"ask the XDP program of {interface}", cause, "apply the policy again")
            # The place is the loopback's, the name the interface's.
            self._stage.control.begin(running.generation, STAMP_SHIFTS[slot(running.generation)], 0, running.digest)
            self._stage.control.know(LOOPBACK, running.control.number(interface))
            self._stack = stack.pop_all()

    def ask(self, packet: bytes) -> Rehearsed:
        """What becomes of an IP packet.  Raises `EnforcementError`."""
        ethertype = ETHERTYPES.get(packet[0] >> 4 if packet else 0, 0)
        frame = bytes(12) + struct.pack(">H", ethertype) + packet
        before = self._stage.counters()
        action, _ = self._stage.program.run(frame.ljust(SHORTEST_FRAME, b"\0"))
        return _difference(before, self._stage.counters(), dropped=action == XDP_DROP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stage.control.close()
        self._stack.close()


def _memory(running: StageMaps) -> StageMaps:
    """The running stage's table, and everything else anew."""
    with ExitStack() as stack:
        keep = stack.enter_context
        made = StageMaps(
            running.table,
            keep(PercpuArray.make(RECORD_VALUE_BYTES, 1, RECORDS_SYMBOL)),
            keep(PercpuArray.make(COUNTER_BYTES, running.counters.entries, COUNTERS_SYMBOL)),
            keep(ArrayMap.create(ARRAY, CONTROL_WORDS * 8, 1, flags=FLAGS, name=CONTROL_SYMBOL)),
            keep(ProgramArray.make(1, SUCCESSOR_SYMBOL)),
        )
        stack.pop_all()
    return made


def _difference(before: XdpCounters, after: XdpCounters, *, dropped: bool) -> Rehearsed:
    known = {reason.value: reason for reason in Reason}
    moved = [known[number] for number, count in after.reasons.items() if count != before.reasons.get(number)]
    rules = [place for place, pair in enumerate(zip(before.rules, after.rules, strict=True)) if pair[0] != pair[1]]
    return Rehearsed(moved[0], rules[0] if rules else None, dropped)
