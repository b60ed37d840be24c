"""What reading any capture format needs: the window, the walk's state, the frames found so far, and their totals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from twinwall.capture import framing
from twinwall.capture.batch import NEVER, Piece, Totals
from twinwall.capture.error import CaptureError
from twinwall.capture.linktypes import link_of_type
from twinwall.path.layout import FRAME, LINK_UNSUPPORTED

if TYPE_CHECKING:
    from twinwall.capture.buffers import BufferPool
    from twinwall.capture.framer import Framer, State, Walk
    from twinwall.capture.window import Window

PACKET_LIMIT = 262_144  # the longest packet that libpcap writes or believes, too
LAST_INTERFACE = 255
LAST_SOURCE = 0xFFFF


@dataclass(slots=True)
class InterfaceNames:
    """Numbers for the interfaces that a run's files name: from 1, the same name always the same number."""

    names: dict[int, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The number of `name`; 0 for "" and for every name after the 255th."""
        known = self._numbers.get(name, 0)
        if known or not name or len(self._numbers) == LAST_INTERFACE:
            return known
        number = self._numbers[name] = len(self._numbers) + 1
        self.names[number] = name
        return number


@dataclass(slots=True)
class RunContext:
    """What the files of one run share."""

    framer: Framer
    chunks: BufferPool
    frame_arrays: BufferPool
    interfaces: InterfaceNames = field(default_factory=InterfaceNames)
    unsupported: set[int] = field(default_factory=set)


class Tape:
    """One file being read.

    `walk` collects frames of the window's buffer; they are handed on by `flush`, at the latest before the window moves.
    """

    def __init__(self, path: str, window: Window, source: int, context: RunContext) -> None:
        self.path = path
        self.window = window
        self.framer = context.framer
        self.begun: int | None = None  # where the block began of which a part is consumed already
        self.state: State = np.zeros(framing.STATE_WORDS, np.uint64)
        self.state[framing.S_LIMIT] = PACKET_LIMIT
        self.state[framing.S_BLOCK_LIMIT] = len(window.buffer)
        self._source = min(source, LAST_SOURCE)
        self._context = context
        self._start_piece()

    def tag(self, linktype: int, interface: str) -> int:
        """The last word of every frame of this interface."""
        link = link_of_type(linktype)
        if link == LINK_UNSUPPORTED:
            self._context.unsupported.add(linktype)
        number = self._context.interfaces.number(interface)
        return link | number << 8 | self._source << 16 | linktype << 32

    def walk(self, walk: Walk) -> int:
        """Collect frames from the window's position on; why the walk stopped."""
        window = self.window
        packed = walk(window.buffer, window.position, window.end, self._frames[self._found :], self.state)
        self._found += packed & 0xFFFFFF
        window.position += packed >> 24 & 0xFFFFFFFF
        return packed >> 56

    @property
    def full(self) -> bool:
        """No more frames can be collected before a `flush`."""
        return self._found == len(self._frames)

    def flush(self) -> Iterator[Piece]:
        """Hand on the frames collected since the last time, if there are any."""
        if self._found:
            piece = Piece(self.window.buffer, self._frames[: self._found], self._totals())
            self._start_piece()
            yield piece

    def need(self, count: int) -> Iterator[Piece]:
        """Have `count` unconsumed bytes in the window unless the stream ends before; hands on frames if the window moves."""
        if self.window.rest < count:
            yield from self.flush()
            self.window.refill()

    def _start_piece(self) -> None:
        self._frames = self._context.frame_arrays.take().view(FRAME)
        self._found = 0
        # Counters only grow; a piece's share is a difference.  The extremes start anew.
        self.state[framing.S_EARLIEST] = NEVER
        self.state[framing.S_LATEST] = 0
        self._before = self._counters()

    def _counters(self) -> list[int]:
        words: list[int] = self.state[: framing.STATE_WORDS].tolist()
        return words

    def _totals(self) -> Totals:
        now = self._counters()
        grown = [(after - before) for after, before in zip(now, self._before, strict=True)]
        return Totals(
            frames=self._found,
            captured_bytes=grown[framing.S_CAPTURED],
            wire_bytes=grown[framing.S_WIRE],
            backwards=grown[framing.S_BACKWARDS],
            snapped=grown[framing.S_SNAPPED],
            unsupported=grown[framing.S_UNSUPPORTED],
            earliest=now[framing.S_EARLIEST],
            latest=now[framing.S_LATEST],
        )

    @property
    def _offset(self) -> int:
        return self.window.offset if self.begun is None else self.begun

    def error(self, cause: str, remedy: str) -> CaptureError:
        """An error at the first byte of the record or block that is being read."""
        return CaptureError(self.path, self._offset, cause, remedy)

    def corrupt(self, cause: str) -> CaptureError:
        """The file contradicts itself here."""
        return self.error(cause, "the file is damaged from this byte on; what came before was read; capture or copy it again")

    def ended_early(self, unit: str) -> CaptureError:
        """The stream ended inside a `unit`, or broke there."""
        if self.window.problem is not None:
            return self.error(self.window.problem.cause, self.window.problem.remedy)
        return self.error(
            f"the file ends inside a {unit}, after {self.window.offset + self.window.rest - self._offset} bytes of it",
            "the capture was cut off while it was written or copied; what came before was read",
        )

    def finish(self, unit: str) -> None:
        """The stream has ended: raise if that was inside a `unit`, or not by itself."""
        if self.window.rest or self.window.problem is not None:
            raise self.ended_early(unit)
