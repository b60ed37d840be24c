"""`twinwall replay … --explain N`: everything that happened to one packet of a capture.

The packets before it are decided by the processor; then the interpreter takes over, on the same memory, with a recorder.
The piece of a datagram is followed until the datagram's decision is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twinwall.cli.exit_codes import ExitCode, complain

if TYPE_CHECKING:
    from twinwall.capture import CaptureRun, FrameBatch
    from twinwall.engine.engine import Engine
    from twinwall.engine.machine import Machine
    from twinwall.engine.recorder import Account
    from twinwall.policy.model import Policy


@dataclass(frozen=True)
class Slice:
    """Some frames of a batch."""

    buffer: NDArray[np.uint8]
    frames: NDArray[np.void]
    interfaces: dict[int, str]


def slice_of(batch: FrameBatch, start: int, stop: int) -> Slice:
    """Frames `start` to before `stop` of a batch."""
    return Slice(batch.buffer, batch.frames[start:stop], batch.interfaces)


def explain_captured(policy: Policy, captures: tuple[str, ...], number: int, *, checksums: bool, as_json: bool = False) -> int:
    """Replay up to packet `number` (from 1), tell its story, and return the exit code."""
    from twinwall.capture import CaptureError, open_captures  # noqa: PLC0415 - `--help` does without
    from twinwall.capture.framer import native_framer  # noqa: PLC0415
    from twinwall.cli.explanation import show  # noqa: PLC0415
    from twinwall.cli.replay import announce_once  # noqa: PLC0415 - the two import each other
    from twinwall.compile.policy import compile_policy  # noqa: PLC0415
    from twinwall.engine.engine import Engine, Settings  # noqa: PLC0415
    from twinwall.engine.machine import NativeMachine  # noqa: PLC0415
    from twinwall.engine.story import Teller  # noqa: PLC0415

    announce = announce_once()
    machine = NativeMachine(announce)
    engine = Engine(policy, compile_policy(policy), machine, Settings(checksums=checksums))
    capture = open_captures(captures, framer=native_framer(announce))
    chase = Chase(engine, machine, number)
    problem: CaptureError | None = None
    try:
        chase.run(capture)
    except CaptureError as error:
        problem = error
    chase.finish()
    teller = Teller(policy, engine.rules)
    show([teller.tell(account, title) for title, account in chase.told()], as_json=as_json)
    if problem is not None:
        complain(f"error: {problem}")
        return ExitCode.CAPTURE
    if chase.found is None:
        complain(f"error: there is no packet {number}: the captures hold {engine.packets} packets, numbered from 1")
        return ExitCode.USAGE
    return ExitCode.FINE


class Chase:
    """Runs an engine up to a packet and, where that waits for its datagram, on to the packet that brings the decision.

    `found` is the packet's account, `last` the account of the packet that completed or ended its datagram, if another one did.
    """

    def __init__(self, engine: Engine, machine: Machine, number: int) -> None:
        from twinwall.engine.recorder import Recorder  # noqa: PLC0415 - see explain_captured

        self.engine = engine
        self.machine = machine
        self.number = number
        self.recorder = Recorder(engine)
        self.found: Account | None = None
        self.last: Account | None = None

    @property
    def done(self) -> bool:
        """Whether the packet's decision is known."""
        return self.found is not None and not self.found.pending

    def run(self, capture: CaptureRun) -> None:
        """Read the capture as far as it takes.  Raises `CaptureError` if it ends in one before that."""
        for batch in capture:
            start = min(len(batch.frames), max(0, self.number - 1 - batch.first))
            self._replay(slice_of(batch, 0, start))
            for at in range(start, len(batch.frames)):
                self._step(slice_of(batch, at, at + 1))
                if self.done:
                    capture.close()
                    return

    def finish(self) -> None:
        """The capture is over: what waits is given up."""
        if self.found is not None and not self.done:
            self.engine.finish()
            self._look()

    def told(self) -> list[tuple[str, Account]]:
        """What to tell, with titles: the packet, and the packet that brought its decision."""
        if self.found is None:
            return []
        told = [(f"packet {self.number}", self.found)]
        if self.last is not None:
            told.append((f"packet {self.last.number}, with which packet {self.number} was decided", self.last))
        return told

    def _replay(self, batch: Slice) -> None:
        if len(batch.frames):
            self.engine.use(self.machine)
            self.engine.feed(batch)
            self.engine.take()

    def _step(self, batch: Slice) -> None:
        """One packet, from the one that is asked for on."""
        if self.found is None:
            self.found = self.recorder.record(batch)
            return
        if not is_fragment(batch):
            self._replay(batch)
            self._look()
            return
        account = self.recorder.record(batch)
        self._look()
        if self.done:
            self.last = account

    def _look(self) -> None:
        """Take over the decision, if it is there by now."""
        if self.found is not None:
            decision = self.recorder.row(self.engine.decisions, self.number)
            self.found = replace(self.found, decision=decision)


def is_fragment(batch: Slice) -> bool:
    """Whether a slice's only frame carries a piece of a datagram; only those can bring the decision of another piece."""
    from twinwall.path.decode import decode  # noqa: PLC0415 - see explain_captured
    from twinwall.path.layout import MARK_FRAGMENT, RECORD_BYTES, W_STATUS  # noqa: PLC0415
    from twinwall.path.primitives import Pointer, get  # noqa: PLC0415

    frame = batch.frames[0]
    start, captured = int(frame["offset"]), int(frame["captured_length"])
    packet, record = Pointer(batch.buffer.data, start), Pointer(bytearray(RECORD_BYTES))
    decode(packet, packet + captured, int(frame["link"]), int(frame["wire_length"]), record)
    return bool(get(record, W_STATUS) >> 8 & MARK_FRAGMENT)
