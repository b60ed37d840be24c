"""Several files in time order.

Each file is a strand: frames in the file's own order, which time may run against.  A frame's place in the merged run is
decided by its key, the latest time seen in its strand so far, then by the order in which the files were named.  This is what a
heap merge gives: it always takes the earliest head, and a frame older than the one before it follows at once.

Where only one strand has frames up to the horizon (files that follow one another in time) they are handed on as they are.
Elsewhere the stretches of the strands are put side by side in a new buffer, one copy each, and the frames are sorted by key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from twinwall.capture.batch import Piece, Totals
from twinwall.capture.error import CaptureError
from twinwall.path.layout import LINK_UNSUPPORTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinwall.capture.batch import Frames

Keys = npt.NDArray[np.uint64]


class Stretch(NamedTuple):
    """Consecutive frames of one strand."""

    piece: Piece
    keys: Keys
    older: npt.NDArray[np.bool_]  # than the frame before, in its strand


class _Horizon(NamedTuple):
    """Everything up to this key is at hand; at the key itself, only of the strands up to this one."""

    key: int
    strand: int


class Strand:
    """One file, with the piece it has come to.  `earliest` is the key of its first frame, known before it is opened."""

    def __init__(self, number: int, earliest: int, start: Callable[[], Iterator[Piece]]) -> None:
        self.number = number
        self.earliest = earliest
        self.problem: CaptureError | None = None
        self._start = start
        self._pieces: Iterator[Piece] | None = None
        self._left: Stretch | None = None
        self._last = 0

    def advance(self) -> bool:
        """Have frames at hand; False at the strand's end, which may be a `problem`."""
        if self._left is None:
            try:
                if self._pieces is None:
                    self._pieces = self._start()
                piece = next(self._pieces, None)
            except CaptureError as problem:
                self.problem = problem
                piece = None
            if piece is not None:
                self._left = self._stretch(piece)
        return self._left is not None

    def _stretch(self, piece: Piece) -> Stretch:
        times = piece.frames["timestamp"]
        before = np.concatenate((np.array([self._last], np.uint64), times[:-1]))
        keys = np.maximum.accumulate(np.maximum(times, np.uint64(self.earliest)))
        self._last, self.earliest = int(times[-1]), int(keys[-1])
        return Stretch(piece, keys, times < before)

    @property
    def horizon(self) -> _Horizon:
        """The place of the last frame at hand."""
        assert self._left is not None
        return _Horizon(int(self._left.keys[-1]), self.number)

    def take(self, horizon: _Horizon) -> Stretch | None:
        """Remove and return the frames up to the horizon, if there are any."""
        left = self._left
        assert left is not None
        side = "right" if self.number <= horizon.strand else "left"
        count = int(np.searchsorted(left.keys, np.uint64(horizon.key), side))  # type: ignore[call-overload]  # a literal
        if count == 0:
            return None
        if count == len(left.keys):
            self._left = None
            return left
        self._left = _cut(left, count, len(left.keys))
        return _cut(left, 0, count)


def _cut(stretch: Stretch, start: int, end: int) -> Stretch:
    frames, older = stretch.piece.frames[start:end], stretch.older[start:end]
    return Stretch(Piece(stretch.piece.buffer, frames, totals_of(frames, older)), stretch.keys[start:end], older)


def totals_of(frames: Frames, older: npt.NDArray[np.bool_]) -> Totals:
    """The counters of these frames."""
    captured, wire, times = frames["captured_length"], frames["wire_length"], frames["timestamp"]
    return Totals(
        frames=len(frames),
        captured_bytes=int(captured.sum(dtype=np.uint64)),
        wire_bytes=int(wire.sum(dtype=np.uint64)),
        backwards=int(np.count_nonzero(older)),
        snapped=int(np.count_nonzero(captured < wire)),
        unsupported=int(np.count_nonzero(frames["link"] == LINK_UNSUPPORTED)),
        earliest=int(times.min()),
        latest=int(times.max()),
    )


def merge(strands: Sequence[Strand], batch_frames: int) -> Iterator[Piece]:
    """Yield all frames of all strands in time order, at most `batch_frames` in a piece.  Opens files when their time comes."""
    waiting = sorted(strands, key=lambda strand: (strand.earliest, strand.number), reverse=True)
    running: list[Strand] = []
    while waiting or running:
        running = [strand for strand in running if strand.advance()]
        while waiting and (not running or waiting[-1].earliest <= min(each.horizon for each in running).key):
            strand = waiting.pop()
            if strand.advance():
                running.append(strand)
        if running:
            horizon = min(strand.horizon for strand in running)
            taken = (strand.take(horizon) for strand in sorted(running, key=lambda each: each.number))
            yield from _weave([stretch for stretch in taken if stretch is not None], batch_frames)


def _weave(stretches: list[Stretch], batch_frames: int) -> Iterator[Piece]:
    """The frames of several strands in order of their keys, strand by strand where keys are equal."""
    if len(stretches) == 1:
        yield stretches[0].piece
        return
    spans = [_span(each.piece.frames) for each in stretches]
    buffer = np.empty(sum(span.stop - span.start for span in spans), np.uint8)
    parts, at = [], 0
    for stretch, span in zip(stretches, spans, strict=True):
        size = span.stop - span.start
        buffer[at : at + size] = stretch.piece.buffer[span]
        frames = stretch.piece.frames.copy()
        frames["offset"] += np.uint64(at)
        frames["offset"] -= np.uint64(span.start)
        parts.append(frames)
        at += size
    order = np.argsort(np.concatenate([each.keys for each in stretches]), kind="stable")
    frames = np.concatenate(parts)[order]
    older = np.concatenate([each.older for each in stretches])[order]
    for start in range(0, len(frames), batch_frames):
        rows = slice(start, start + batch_frames)
        yield Piece(buffer, frames[rows], totals_of(frames[rows], older[rows]))


def _span(frames: Frames) -> slice:
    """The bytes in which these frames lie."""
    last = frames[-1]
    return slice(int(frames[0]["offset"]), int(last["offset"]) + int(last["captured_length"]))
