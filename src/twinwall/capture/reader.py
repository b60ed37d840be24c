"""Open capture files and read their frames: the way in for everything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from twinwall.capture.batch import CaptureSummary, FrameBatch
from twinwall.capture.buffers import BufferPool
from twinwall.capture.framer import INTERPRETED, Framer
from twinwall.capture.pcap import read_pcap
from twinwall.capture.tape import RunContext, Tape, frame_array_bytes
from twinwall.capture.window import Window

CHUNK_BYTES = 4 << 20


class CaptureRun(Iterator[FrameBatch]):
    """The frames of one or several capture files, batch by batch; `summary` tells what was read so far."""

    def __init__(self, paths: Sequence[str], batch_frames: int, framer: Framer) -> None:
        self.summary = CaptureSummary()
        self._context = RunContext(framer, BufferPool(CHUNK_BYTES), BufferPool(frame_array_bytes(batch_frames)))
        self.summary.linktypes = self._context.unsupported
        self._paths = paths
        self._batches = self._read()

    def __next__(self) -> FrameBatch:
        return next(self._batches)

    def _read(self) -> Iterator[FrameBatch]:
        for source, path in enumerate(self._paths):
            with Path(path).open("rb", buffering=0) as stream:
                self.summary.files.append(path)
                tape = Tape(path, Window(stream, self._context.chunks), source, self._context)
                for piece in read_pcap(tape):
                    first = self.summary.totals.frames
                    self.summary.totals += piece.totals
                    yield FrameBatch(piece.buffer, piece.frames, first, self._context.interfaces.names, piece.totals)


def open_captures(paths: Sequence[str], *, batch_frames: int = 16_384, framer: Framer = INTERPRETED) -> CaptureRun:
    """Read these captures in time order; "-" is standard input."""
    return CaptureRun(paths, batch_frames, framer)
