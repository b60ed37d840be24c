"""Packets on their way through the kernel: a temporary table marks those that are wanted, and the kernel tells of them.

The tables are owned by this process: they are gone with it, also after SIGKILL.  Packets are marked in front of everything else
of ours: on the interfaces themselves where the stateless stage runs in nftables, else in front of the IP layer.  What XDP drops
never becomes a packet that could be traced; its counters tell of it (`XdpDrops`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from twinwall.enforce.log import interface_name
from twinwall.enforce.trace_filter import PacketFilter
from twinwall.enforce.trace_stages import ARMS, Knowledge
from twinwall.enforce.trace_story import KernelStory, narrate
from twinwall.live.links import links
from twinwall.live.netdev_hook import hooked_devices
from twinwall.live.nft import TABLES, Table
from twinwall.live.nftrace import Step, TraceListener
from twinwall.live.owned_table import OwnedTables
from twinwall.live.table_comment import table_comment

EARLIEST = -500  # in front of our own chains, at -450
IP_ALONE = "meta protocol != { ip, ip6 } return"
BRIDGE = Table("bridge", "twinwall")
CALM = 0.2  # seconds without a step after which a packet's story is over
MOST_PACKETS = 4096  # that are under way at once; beyond, the oldest is told as far as it came


def arming(wanted: PacketFilter, name: str, devices: tuple[str, ...] = (), *, bridge: bool = False) -> str:
    """The script of the temporary tables.

    `devices`: interfaces on which packets are to be marked as they come in.  `bridge`: so is what is bridged, in the bridge.
    """
    arm = _chain("arm", *(f"{line} meta nftrace set 1" for line in wanted.lines()))
    quoted = ", ".join(f'"{device}"' for device in devices)
    seen = (f"iifname {{ {quoted} }} return",) if devices else ()
    inet = (arm, _chain("prerouting", _head("prerouting"), *seen, "jump arm"), _chain("output", _head("output"), "jump arm"))
    script = _table("inet", name, *inet)
    if devices:
        head = _head(f"ingress devices = {{ {quoted} }}")
        script += _table("netdev", name, arm, _chain("ingress", head, IP_ALONE, "jump arm"))
    if bridge:
        script += _table("bridge", name, arm, _chain("prerouting", _head("prerouting"), IP_ALONE, "jump arm"))
    return script


def _table(family: str, name: str, *chains: str) -> str:
    return f"table {family} {name} {{\n\tflags owner;\n{''.join(chains)}}}\n"


def _chain(name: str, *lines: str) -> str:
    return f"\tchain {name} {{\n" + "".join(f"\t\t{line}\n" for line in lines) + "\t}\n"


def _head(hook: str) -> str:
    return f"type filter hook {hook} priority {EARLIEST}; policy accept;"


def hooked() -> tuple[str, ...]:
    """The interfaces on which the stateless stage runs in nftables."""
    stamping = (table for table in TABLES if table.family == "netdev")
    there = {each.name for each in links()}
    return tuple(sorted(there & {name for table in stamping for name in hooked_devices(table, "ingress")}))


@dataclass
class _Underway:
    """A packet and its steps so far."""

    steps: list[Step] = field(default_factory=list)
    last: float = 0.0


class Tracer:
    """Traces the packets that `wanted` names while it is entered.  A context manager."""

    def __init__(self, wanted: PacketFilter, knowledge: Knowledge, clock: Callable[[], float] = time.monotonic) -> None:
        self._wanted, self._knowledge, self._clock = wanted, knowledge, clock
        self._name = f"{ARMS}_{os.getpid()}"
        self._underway: dict[int, _Underway] = {}
        self._stack = ExitStack()
        self.lost = False

    def __enter__(self) -> Self:
        bridge = table_comment(BRIDGE) is not None
        with ExitStack() as stack:
            self._listener = stack.enter_context(TraceListener())
            stack.enter_context(OwnedTables(arming(self._wanted, self._name, hooked(), bridge=bridge), "trace packets"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def stories(self, timeout: float = CALM) -> list[KernelStory]:
        """Wait up to `timeout` seconds, and tell the packets of which nothing more came for a while."""
        steps, lost = self._listener.receive(timeout)
        self.lost |= lost
        finished = [told for step in steps for told in self._add(step)]
        now = self._clock()
        calm = [ident for ident, packet in self._underway.items() if now - packet.last >= CALM]
        finished += [self._underway.pop(ident) for ident in calm]
        return [narrate(packet.steps, self._knowledge, interface_name) for packet in finished]

    def rest(self) -> list[KernelStory]:
        """What is still under way, as far as it came."""
        self.stories()
        finished, self._underway = list(self._underway.values()), {}
        return [narrate(packet.steps, self._knowledge, interface_name) for packet in finished]

    def _add(self, step: Step) -> Iterator[_Underway]:
        """Sort a step to its packet; yields packets that are over because of it."""
        begins = (step.table, step.chain) == (self._name, "arm") and bool(
            step.packet
        )  # what is traced already is not seen to be
        if begins and step.ident in self._underway:
            yield self._underway.pop(step.ident)  # the kernel gives numbers out again
        if not begins and step.ident not in self._underway:
            return  # somebody else's trace
        packet = self._underway.setdefault(step.ident, _Underway())
        packet.steps.append(step)
        packet.last = self._clock()
        if len(self._underway) > MOST_PACKETS:
            yield self._underway.pop(next(iter(self._underway)))
