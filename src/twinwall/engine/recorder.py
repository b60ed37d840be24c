"""The recorder: one packet at a time through the engine, interpreted, with everything that happened to it.

It is the engine that decides, with the code that replay runs; the recorder only listens (`path.primitives.note`) and looks
at the connection table before and after.  `engine.story` turns an `Account` into sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinwall.conntrack.entry import ENTRY_WORDS
from twinwall.conntrack.header import H_ENTRIES
from twinwall.engine.decision import PENDING
from twinwall.engine.desk import D_SCRATCH
from twinwall.engine.engine import RING, Engine, Frames
from twinwall.engine.machine import InterpretedMachine
from twinwall.path.layout import FRAME, RECORD, RECORD_BYTES
from twinwall.path.trace import TraceEvent
from twinwall.stream.fragments import COMPLETE

EVENTS = {event.value: event for event in TraceEvent}

Row = Any  # one row of a structured array: NumPy's own type for it has no typed fields


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the packet path noted."""

    event: TraceEvent
    value: int


@dataclass(frozen=True, slots=True)
class Account:
    """What happened to one packet.

    `record` (RECORD) and `decision` (DECISION) are its rows; `datagram` is the record of the datagram that it completed, or
    None.  `before` and `after` (ENTRY) are its flow's entry before and after it, None where there was none; `ended` are the
    flows that ended with it (ENTRY), `alerts` the matches it reported (ALERT), `flowbits` the bits set in its flow after it.
    """

    number: int
    record: Row
    decision: Row
    steps: tuple[Step, ...]
    datagram: Row | None
    before: Row | None
    after: Row | None
    ended: NDArray[np.void]
    alerts: NDArray[np.void]
    flowbits: tuple[int, ...]

    @property
    def pending(self) -> bool:
        """Whether the packet waits for the other pieces of its datagram."""
        return int(self.decision["verdict"]) == PENDING

    def values(self, event: TraceEvent) -> list[int]:
        """The values of one event, in order."""
        return [step.value for step in self.steps if step.event is event]


@dataclass(frozen=True)
class OneFrame:
    """A batch of one frame, for the engine."""

    buffer: NDArray[np.uint8]
    frames: NDArray[np.void]
    interfaces: dict[int, str]

    @classmethod
    def of(cls, data: bytes, link: int, timestamp: int, interface: str = "") -> OneFrame:
        """A frame that was captured whole."""
        frames = np.zeros(1, FRAME)
        number = 1 if interface else 0
        frames[0] = (0, timestamp, len(data), len(data), link, number, 0, 0)
        return cls(np.frombuffer(data or b"\0", np.uint8).copy(), frames, {1: interface} if interface else {})


class Recorder:
    """Feeds an engine one frame at a time.  For that the engine is interpreted, whatever ran it before, and stays so."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._notes: list[tuple[int, int]] = []
        self._machine = InterpretedMachine(self._notes)

    def record(self, batch: Frames) -> Account:
        """Decide a batch of one frame and tell what happened."""
        engine = self.engine
        engine.use(self._machine)
        before = engine.connections.entries().copy()
        engine.take()  # what is due from packets before this one is not this one's
        self._notes.clear()
        engine.feed(batch)
        number = engine.packets
        steps = tuple(Step(EVENTS[event], value) for event, value in self._notes)
        index = self._entry(steps)
        taken = engine.take()
        after = engine.connections.entries()
        return Account(
            number=number,
            record=self.row(engine.records, number),
            decision=self.row(engine.decisions, number),
            steps=steps,
            datagram=self._datagram() if any(_completes(step) for step in steps) else None,
            before=_of_flow(before, index, after),
            after=_of_flow(after, index, after),
            ended=taken.flows,
            alerts=taken.alerts,
            flowbits=self._bits(index),
        )

    def row(self, array: NDArray[np.void], number: int) -> Row:
        """A copy of packet `number`'s row of the engine's ring."""
        return array[number & (RING - 1)].copy()

    @staticmethod
    def _entry(steps: tuple[Step, ...]) -> int:
        """The index of the entry that the tracker gave the packet; 0 for none."""
        return next((step.value >> 32 for step in steps if step.event is TraceEvent.TRACKED), 0)

    def _bits(self, index: int) -> tuple[int, ...]:
        """The flowbits of entry `index`."""
        table = self.engine.connections
        size = table.entry_bytes // 8
        start = int(table.words[H_ENTRIES]) // 8 + (index - 1) * size
        words = table.words[start + ENTRY_WORDS : start + size] if index else table.words[:0]
        return tuple(np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist())

    def _datagram(self) -> Row:
        words = self.engine.desk[D_SCRATCH : D_SCRATCH + RECORD_BYTES // 8]
        return words.view(RECORD)[0].copy()


def _completes(step: Step) -> bool:
    return step.event is TraceEvent.FRAGMENT and step.value == COMPLETE


def _of_flow(entries: NDArray[np.void], index: int, now: NDArray[np.void]) -> Row | None:
    """A copy of entry `index` (from 1), if it lives and is of the flow that has that place now."""
    if not 0 < index <= len(entries) or not int(now[index - 1]["flow_id"]):
        return None
    entry = entries[index - 1]
    return entry.copy() if int(entry["flow_id"]) == int(now[index - 1]["flow_id"]) else None
