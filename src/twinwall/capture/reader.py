"""Open capture files and read their frames: the way in for everything else."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from os import PathLike, fspath
from pathlib import Path

from twinwall.capture.batch import CaptureSummary, FrameBatch, Piece
from twinwall.capture.buffers import BufferPool
from twinwall.capture.error import CaptureError
from twinwall.capture.file import read_file
from twinwall.capture.framer import INTERPRETED, Framer
from twinwall.capture.merge import Strand, merge
from twinwall.capture.source import STANDARD_INPUT, Source, is_regular, open_source
from twinwall.capture.tape import RunContext
from twinwall.path.layout import FRAME_BYTES

CHUNK_BYTES = 4 << 20
MERGED_CHUNK_BYTES = 1 << 20  # several files may be open at once
BATCH_FRAMES = 16_384


class CaptureRun(Iterator[FrameBatch]):
    """The frames of one or several capture files in time order, batch by batch.

    `summary` tells what was read so far, `interfaces` names what `frames["interface"]` refers to (the same for the whole run),
    `taken` of `total` bytes of the files are consumed (`total` is None where a pipe is among them).
    """

    def __init__(self, paths: Sequence[str], batch_frames: int, framer: Framer) -> None:
        chunk = CHUNK_BYTES if len(paths) == 1 else MERGED_CHUNK_BYTES
        self._context = RunContext(framer, BufferPool(chunk), BufferPool(batch_frames * FRAME_BYTES))
        self.summary = CaptureSummary(files=list(paths), unsupported=self._context.unsupported)
        self.interfaces = self._context.interfaces.names
        self.total = sum(Path(path).stat().st_size for path in paths) if all(is_regular(path) for path in paths) else None
        self._sources: list[Source] = []
        self._batches = self._number(self._pieces(paths, batch_frames))

    @property
    def taken(self) -> int:
        """How many bytes of the files (compressed, if they are) were consumed."""
        return sum(source.raw.taken for source in self._sources)

    def __next__(self) -> FrameBatch:
        return next(self._batches)

    def close(self) -> None:
        """Close the files; nothing more can be read."""
        self._batches.close()
        for source in self._sources:
            source.close()

    def _number(self, pieces: Iterator[Piece]) -> Generator[FrameBatch, None, None]:
        for piece in pieces:
            first = self.summary.totals.frames
            self.summary.totals += piece.totals
            yield FrameBatch(piece.buffer, piece.frames, first, self.interfaces, piece.totals)

    def _pieces(self, paths: Sequence[str], batch_frames: int) -> Iterator[Piece]:
        if len(paths) == 1:
            yield from self._read(paths[0], 0)
            return
        strands = [self._strand(path, number) for number, path in enumerate(paths)]
        yield from merge(strands, batch_frames)
        problems = [strand.problem for strand in strands if strand.problem is not None]
        if problems:
            for other in problems[1:]:
                problems[0].add_note(f"also: {other}")
            raise problems[0]

    def _read(self, path: str, number: int) -> Generator[Piece, None, None]:
        source = open_source(path)
        self._sources.append(source)
        return read_file(source, number, self._context)

    def _strand(self, path: str, number: int) -> Strand:
        earliest = _first_time(path, self._context.framer) if is_regular(path) else 0
        return Strand(number, earliest, lambda: self._read(path, number))


def _first_time(path: str, framer: Framer) -> int:
    """The time of a file's first frame; 0 if there is none, so that the file is read first and says what is wrong with it."""
    context = RunContext(framer, BufferPool(MERGED_CHUNK_BYTES), BufferPool(FRAME_BYTES))
    try:
        pieces = read_file(open_source(path), 0, context)
        piece = next(pieces, None)
        pieces.close()
    except CaptureError:
        return 0
    return 0 if piece is None else int(piece.frames[0]["timestamp"])


def open_captures(
    paths: Sequence[str | PathLike[str]], *, batch_frames: int = BATCH_FRAMES, framer: Framer = INTERPRETED
) -> CaptureRun:
    """Read these captures in time order; "-" is standard input.

    Yields batches of at most `batch_frames` frames.  Raises `CaptureError` after the last readable frame of all files, if one
    of them could not be read to its end (the first such; its notes name the others), and at once if a file cannot be opened.
    `framer` is `framer.compiled_framer(...)` for speed.
    """
    names = [fspath(path) for path in paths]
    for name in names:
        if is_regular(name) or (name != STANDARD_INPUT and (Path(name).is_dir() or not Path(name).exists())):
            open_source(name).close()  # a pipe can be opened only once
    return CaptureRun(names, batch_frames, framer)
