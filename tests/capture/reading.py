"""What the tests ask of a reader: the packets it gave, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from twinwall.capture import INTERPRETED, CaptureError, CaptureSummary, FrameBatch, Framer, open_captures


class Seen(NamedTuple):
    timestamp: int
    data: bytes
    wire: int
    link: int
    interface: str
    source: int
    linktype: int


class Outcome(NamedTuple):
    packets: list[Seen]
    error: CaptureError | None
    summary: CaptureSummary
    batches: list[int]


def packets_of(batch: FrameBatch) -> list[Seen]:
    seen = []
    for frame in batch.frames:
        start = int(frame["offset"])
        data = batch.buffer[start : start + int(frame["captured_length"])].tobytes()
        name = batch.interfaces.get(int(frame["interface"]), "")
        numbers = (int(frame[each]) for each in ("source", "linktype"))
        seen.append(Seen(int(frame["timestamp"]), data, int(frame["wire_length"]), int(frame["link"]), name, *numbers))
    return seen


def read(paths: Sequence[Path | str], batch_frames: int = 16_384, framer: Framer = INTERPRETED) -> Outcome:
    run = open_captures(paths, batch_frames=batch_frames, framer=framer)
    packets: list[Seen] = []
    batches: list[int] = []
    error = None
    try:
        for batch in run:
            assert batch.first == len(packets)
            packets += packets_of(batch)
            batches.append(len(batch.frames))
    except CaptureError as problem:
        error = problem
    return Outcome(packets, error, run.summary, batches)


def read_bytes(folder: Path, data: bytes, batch_frames: int = 16_384) -> Outcome:
    path = folder / "capture"
    path.write_bytes(data)
    return read([path], batch_frames)
