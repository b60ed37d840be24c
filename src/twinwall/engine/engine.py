"""The engine: one policy's tables and one run's state, fed with batches of frames.

`feed` decides a batch of frames, `take` hands out what is decided, `finish` resolves what still waits.  Whoever needs only
the totals never calls `take`, and then no packet ever becomes a Python object.  Memory is bounded by the settings of the
policy: the connection table, the fragment table, a ring of `RING` packets; never by the length of the capture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.policy import CompiledPolicy
from twinwall.conntrack.entry import END_SHUTDOWN, ENTRY
from twinwall.conntrack.table import ConnectionTable
from twinwall.engine import desk as d
from twinwall.engine.batch import DecisionBatch, RuleBook
from twinwall.engine.counters import Counters, empty_desk
from twinwall.engine.emission import NONE_WAITING
from twinwall.engine.pipeline import CHUNK
from twinwall.path.layout import ALERT, DECISION, FRAME, RECORD
from twinwall.path.table_layout import H_ALERT_LIMIT, H_STEPS, H_WORDS
from twinwall.policy.model import Exceptional, Policy
from twinwall.stream.table import FragmentTable

if TYPE_CHECKING:
    from twinwall.engine.machine import Machine

RING = 1 << 17  # packets whose decisions can be under way at once
BATCH = 1 << 14  # frames decided at a time
HELD_BYTES = 64 << 20  # capture buffers kept for packets that wait for their datagram
ALERT_ROOM = 1 << 16
SWEEP_PERIOD = 20 * 10**9  # nanoseconds of the capture's time in which all entries are looked at for expiry ...
LARGEST_SWEEP = 4 * BATCH  # ... but no more of them after one batch

_EXCEPTIONS = {
    Exceptional.DROP: d.EXCEPT_DROP,
    Exceptional.CONTINUE: d.EXCEPT_CONTINUE,
    Exceptional.REJECT: d.EXCEPT_REJECT,
}


class Frames(Protocol):
    """What the engine reads of a batch of frames (`capture.batch.FrameBatch` is one)."""

    @property
    def buffer(self) -> NDArray[np.uint8]:
        """The bytes."""

    @property
    def frames(self) -> NDArray[np.void]:
        """FRAME rows; offsets count from the start of `buffer`."""

    @property
    def interfaces(self) -> dict[int, str]:
        """Names of the interfaces that the frames refer to by number."""


@dataclass(frozen=True)
class Settings:
    """How a run differs from the policy's own settings.

    `key` is the secret of the connection table's hash, so that a capture cannot be made to fill one chain; whoever replays
    captures of strangers gives a random one.  No decision depends on it while the table has room.
    """

    checksums: bool = False
    key: tuple[int, int] = (0x0706050403020100, 0x0F0E0D0C0B0A0908)


@dataclass(frozen=True)
class _Held:
    """Frames whose decisions are not handed out yet; `first` is the number of the first one."""

    first: int
    frames: NDArray[np.void]
    buffer: NDArray[np.uint8]


class Engine:
    """Runs one policy over one run of packets.  `keep`: decisions will be taken, so frames are kept until they are."""

    def __init__(
        self,
        policy: Policy,
        compiled: CompiledPolicy,
        machine: Machine,
        settings: Settings | None = None,
        *,
        keep: bool = True,
    ) -> None:
        settings = settings or Settings()
        self.rules = RuleBook(compiled.stateless.rules, compiled.stateful.rules)
        self.keep = keep
        self.packets = 0  # decided or waiting so far
        self._stateless = compiled.stateless.words
        self._stateful = compiled.stateful.words.copy()  # it has scratch words, which are this engine's own
        self.records: NDArray[np.void] = np.zeros(RING, RECORD)
        self.decisions: NDArray[np.void] = np.zeros(RING, DECISION)
        tracking = replace(policy.tracking, flows=policy.flows)
        self.connections = ConnectionTable(tracking, compiled.flowbit_words, settings.key, 8 * BATCH)
        self.fragments = FragmentTable(policy.tracking)
        margin = 2 * CHUNK * max(1, int(self._stateful[H_ALERT_LIMIT]))
        self._alerts: NDArray[np.uint64] = np.zeros((ALERT_ROOM + margin + 1) * ALERT.itemsize // 8, np.uint64)
        self.desk = _make_desk(policy, compiled, settings, margin)
        self.counters = Counters(self.desk, self.rules)
        self._interfaces = {name: number for number, name in enumerate(policy.interfaces, 1)}
        self.use(machine)
        self._held: list[_Held] = []
        self._emitted = 0  # packets handed out
        self._swept = 0  # the capture's time at the last sweep
        self._alerts_due: list[NDArray[np.void]] = []
        self._flows_due: list[NDArray[np.void]] = []

    def use(self, machine: Machine) -> None:
        """Let `machine` execute what follows, on the same memory: a run may change between native and interpreted."""
        self.machine = machine
        self._places = tuple(
            machine.place(array)
            for array in (self.records, self.decisions, self._stateless, self._stateful, self.connections.words,
                          self.fragments.memory, self._alerts, self.desk)
        )  # fmt: skip

    def feed(self, batch: Frames) -> None:
        """Decide the packets of a batch.  It must stay valid until its decisions are taken, if decisions are kept.

        Raises ValueError where decisions are kept and so many were not taken that these would overwrite them.
        """
        if self.keep and self.packets + len(batch.frames) - self._emitted > RING:
            raise ValueError(f"{self.packets - self._emitted:,} decisions are not taken; the ring has room for {RING:,}")
        for start in range(0, len(batch.frames), BATCH):
            self._feed_some(batch, batch.frames[start : start + BATCH])

    def _feed_some(self, batch: Frames, frames: NDArray[np.void]) -> None:
        self._number_interfaces(batch.interfaces)
        self._make_room(len(frames))
        if self.keep:
            self._held.append(_Held(self.packets + 1, frames, batch.buffer))
        records, decisions, stateless, stateful, connections, fragments, alerts, desk = self._places
        buffer = self.machine.place(batch.buffer)
        done = 0
        while done < len(frames):
            rest = self.machine.place(frames[done:])
            done += self.machine.call(
                "run", rest, len(frames) - done, buffer, self.packets + done + 1, records, decisions, stateless, stateful,
                connections, fragments, alerts, desk,
            )  # fmt: skip
            self._drain_alerts()
        self.packets += len(frames)
        self.machine.call("give_up", records, decisions, fragments, desk, int(self.desk[d.D_CLOCK]))
        self.machine.call("sweep", connections, int(self.desk[d.D_CLOCK]), self._sweep_budget())
        self._drain_flows()

    def _sweep_budget(self) -> int:
        """How many entries to look at now, for all of them to be looked at once in `SWEEP_PERIOD`."""
        clock = int(self.desk[d.D_CLOCK])
        passed, self._swept = max(0, clock - self._swept) if self._swept else 0, clock
        return min(LARGEST_SWEEP, self.connections.used * passed // SWEEP_PERIOD + 1)

    def take(self) -> DecisionBatch:
        """What is decided and not yet handed out, in packet order, with the flows that ended meanwhile; perhaps nothing."""
        ready = max(self._emitted, min(self.packets, self._oldest() - 1))
        first, self._emitted = self._emitted + 1, ready
        rows = np.arange(first, ready + 1) & (RING - 1)
        frames, buffers = self._frames_of(first, ready)
        return DecisionBatch(
            decisions=self.decisions[rows],
            records=self.records[rows],
            frames=frames,
            buffers=buffers,
            alerts=self._alerts_up_to(ready),
            flows=self._take_flows(),
            rules=self.rules,
        )

    def finish(self) -> None:
        """The capture is over: fragments that still wait are given up, and live flows end."""
        while int(self.desk[d.D_PENDING]) and self._force():
            pass
        if self.keep:
            live = self.connections.live()
            live["end_reason"] = END_SHUTDOWN
            self._flows_due.append(live)
            self.counters.add_ended(live)
        else:
            entries = self.connections.entries()
            self.counters.add_ended(entries, entries["flow_id"] != 0)

    def _oldest(self) -> int:
        """The first packet that waits for its datagram."""
        if not int(self.desk[d.D_PENDING]):
            return NONE_WAITING
        return self.machine.call("oldest_waiting", self._places[5])

    def _make_room(self, count: int) -> None:
        """Give up datagrams that would hold back more than the ring, or than the memory for buffers."""
        while int(self.desk[d.D_PENDING]) and (
            self.packets + count - self._oldest() >= RING - BATCH or self._held_bytes() > HELD_BYTES
        ):
            if not self._force():
                break

    def _held_bytes(self) -> int:
        return sum({id(held.buffer): held.buffer.nbytes for held in self._held}.values())

    def _force(self) -> int:
        records, decisions, _, _, _, fragments, _, desk = self._places
        return self.machine.call("force_oldest", records, decisions, fragments, desk)

    def _number_interfaces(self, names: dict[int, str]) -> None:
        for number, name in names.items():
            self.desk[d.D_INTERFACES + number] = self._interfaces.get(name, 0)

    def _drain_alerts(self) -> None:
        count = int(self._alerts[0])
        if count:
            if self.keep:
                start = ALERT.itemsize // 8
                rows = self._alerts[start : start + count * start].view(ALERT)
                self._alerts_due.append(rows.copy())
            self._alerts[0] = 0

    def _drain_flows(self) -> None:
        ended = self.connections.drain_ended()
        self.counters.add_ended(ended)
        if self.keep and len(ended):
            self._flows_due.append(ended)

    def _alerts_up_to(self, packet: int) -> NDArray[np.void]:
        due = np.concatenate([np.zeros(0, ALERT), *self._alerts_due])
        now = due["packet"] <= packet
        self._alerts_due = [due[~now]]
        return due[now]

    def _take_flows(self) -> NDArray[np.void]:
        flows: NDArray[np.void] = np.concatenate([np.zeros(0, ENTRY), *self._flows_due])
        self._flows_due = []
        return flows

    def _frames_of(self, first: int, last: int) -> tuple[NDArray[np.void], tuple[tuple[int, NDArray[np.uint8]], ...]]:
        """The frames of packets first..last with the buffers they lie in; lets go of what is no longer needed."""
        parts: list[NDArray[np.void]] = []
        buffers: list[tuple[int, NDArray[np.uint8]]] = []
        rows = 0
        for held in self._held:
            start, stop = max(first, held.first), min(last, held.first + len(held.frames) - 1)
            if start > stop:
                continue
            part = held.frames[start - held.first : stop - held.first + 1]
            buffers.append((rows, held.buffer))
            parts.append(part)
            rows += len(part)
        self._held = [held for held in self._held if held.first + len(held.frames) - 1 > last]
        return np.concatenate([np.zeros(0, FRAME), *parts]), tuple(buffers)


def _make_desk(policy: Policy, compiled: CompiledPolicy, settings: Settings, margin: int) -> NDArray[Any]:
    desk = empty_desk(len(compiled.stateless.rules), len(compiled.stateful.rules))
    values = {
        d.D_WORDS: compiled.stateless.words[H_WORDS],
        d.D_STEPS: compiled.stateless.words[H_STEPS],
        d.D_CHECKSUMS: settings.checksums,
        d.D_MIDSTREAM: _EXCEPTIONS[policy.stateful.midstream],
        d.D_INVALID: _EXCEPTIONS[policy.stateful.invalid],
        d.D_RING: RING - 1,
        d.D_ALERTS: ALERT_ROOM + margin,
        d.D_ALERT_MARGIN: margin,
    }
    for word, value in values.items():
        desk[word] = value
    return desk
