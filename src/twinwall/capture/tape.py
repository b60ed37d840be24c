"""What reading any capture format needs: the window, the walk's state, and the counters turned into totals."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from twinwall.capture import framing
from twinwall.capture.batch import NEVER, Piece, Totals
from twinwall.capture.error import CaptureError
from twinwall.capture.linktypes import link_of_type
from twinwall.path.layout import FRAME, FRAME_BYTES, LINK_UNSUPPORTED

if TYPE_CHECKING:
    from twinwall.capture.buffers import BufferPool
    from twinwall.capture.framer import Framer, State, Walk
    from twinwall.capture.window import Window

PACKET_LIMIT = 262_144  # the longest packet that libpcap writes or believes, too
LAST_INTERFACE = 255


@dataclass(slots=True)
class InterfaceNames:
    """Numbers for the interfaces that a run's files name: from 1, the same name always the same number."""

    names: dict[int, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The number of `name`; 0 for "" and for every name after the 255th."""
        if not name:
            return 0
        known = self._numbers.get(name)
        if known is not None:
            return known
        if len(self._numbers) == LAST_INTERFACE:
            return 0
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
    """One file being read: its window and the state of the walk over it."""

    def __init__(self, path: str, window: Window, source: int, context: RunContext) -> None:
        self.path = path
        self.window = window
        self.framer = context.framer
        self.state: State = np.zeros(framing.STATE_WORDS, np.uint64)
        self.state[framing.S_LIMIT] = PACKET_LIMIT
        self.state[framing.S_EARLIEST] = NEVER
        self._source = source
        self._context = context

    def tag(self, linktype: int, interface: str) -> int:
        """The last word of every frame of this interface."""
        link = link_of_type(linktype)
        if link == LINK_UNSUPPORTED:
            self._context.unsupported.add(linktype)
        number = self._context.interfaces.number(interface)
        return link | number << 8 | min(self._source, 0xFFFF) << 16 | linktype << 32

    def walk(self, walk: Walk) -> Generator[Piece, None, int]:
        """Yield the frames that lie whole in the window; return why the walk stopped, never because an array was full."""
        window = self.window
        while True:
            frames = self._context.frame_arrays.take().view(FRAME)
            before = self._counters()
            packed = walk(window.buffer, window.position, window.end, frames, self.state)
            found = packed & 0xFFFFFF
            window.position += packed >> 24 & 0xFFFFFFFF
            if found:
                yield Piece(window.buffer, frames[:found], self._totals(found, before))
            if found < len(frames):
                return packed >> 56

    def _counters(self) -> list[int]:
        # Extremes are those of one piece; the others are differences.
        self.state[framing.S_EARLIEST] = NEVER
        self.state[framing.S_LATEST] = 0
        return [int(word) for word in self.state[: framing.STATE_WORDS]]

    def _totals(self, found: int, before: list[int]) -> Totals:
        now = [int(word) for word in self.state[: framing.STATE_WORDS]]

        def grown(word: int) -> int:
            return now[word] - before[word]

        return Totals(
            frames=found,
            captured_bytes=grown(framing.S_CAPTURED),
            wire_bytes=grown(framing.S_WIRE),
            backwards=grown(framing.S_BACKWARDS),
            snapped=grown(framing.S_SNAPPED),
            unsupported=grown(framing.S_UNSUPPORTED),
            earliest=now[framing.S_EARLIEST],
            latest=now[framing.S_LATEST],
        )

    def error(self, cause: str, remedy: str) -> CaptureError:
        """An error at the first byte that is not consumed."""
        return CaptureError(self.path, self.window.offset, cause, remedy)

    def ended_early(self, cause: str) -> CaptureError:
        """The stream ended where it must not."""
        return self.error(cause, "the capture was cut off while it was written or copied; what came before is good")

    def finish(self, unit: str) -> None:
        """The stream has ended: raise if the end lies inside a `unit`."""
        if self.window.rest:
            raise self.ended_early(f"the file ends inside a {unit}, {self.window.rest} bytes after its first byte")


def frame_array_bytes(batch_frames: int) -> int:
    """The size of a pooled frame array."""
    return batch_frames * FRAME_BYTES
