"""One capture file: open it, find out what it is, read it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from twinwall.capture import pcap, pcapng
from twinwall.capture.error import CaptureError
from twinwall.capture.foreign import describe
from twinwall.capture.tape import RunContext, Tape
from twinwall.capture.window import Window

if TYPE_CHECKING:
    from twinwall.capture.batch import Piece
    from twinwall.capture.source import Source

MAGIC_BYTES = 4
DESCRIBED_BYTES = 512


def read_file(source: Source, number: int, context: RunContext) -> Generator[Piece, None, None]:
    """Yield all readable frames, then raise `CaptureError` if that was not the whole file.  Closes the source."""
    try:
        tape = Tape(source.path, Window(source.stream, context.chunks), number, context)
        try:
            yield from _format(tape)
        except CaptureError:
            yield from tape.flush()
            raise
    finally:
        source.close()


def _format(tape: Tape) -> Iterator[Piece]:
    window = tape.window
    head = window.buffer[: min(window.end, DESCRIBED_BYTES)].tobytes()
    if head[:MAGIC_BYTES] in pcap.MAGICS:
        return pcap.read_pcap(tape)
    if head[:MAGIC_BYTES] == pcapng.MAGIC:
        return pcapng.read_pcapng(tape)
    if window.problem is not None:
        raise tape.ended_early("file header")
    if any(magic.startswith(head) for magic in (*pcap.MAGICS, pcapng.MAGIC)) and head:
        raise tape.ended_early("file header")
    guess = describe(head)
    raise tape.error(guess.cause, guess.remedy)
