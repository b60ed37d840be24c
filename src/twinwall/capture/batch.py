"""What a reader hands on: a batch of frames, and a summary of everything read so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from twinwall.capture.buffers import Bytes

Frames = npt.NDArray[np.void]  # of path.layout.FRAME
NEVER = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters over some frames.  `earliest` is `NEVER` and `latest` 0 when there are none; times in nanoseconds since 1970."""

    frames: int = 0
    captured_bytes: int = 0
    wire_bytes: int = 0
    backwards: int = 0  # frames older than the frame before them in their file
    snapped: int = 0  # frames that the capture cut short
    unsupported: int = 0  # frames of a link type that twinwall does not decode
    earliest: int = NEVER
    latest: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.frames + other.frames,
            self.captured_bytes + other.captured_bytes,
            self.wire_bytes + other.wire_bytes,
            self.backwards + other.backwards,
            self.snapped + other.snapped,
            self.unsupported + other.unsupported,
            min(self.earliest, other.earliest),
            max(self.latest, other.latest),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Frames of one file, before the run has given them their numbers."""

    buffer: Bytes
    frames: Frames
    totals: Totals


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Frames in capture order and the bytes they lie in.

    `buffer` is a one-dimensional uint8 array, `frames` an array of `path.layout.FRAME` whose offsets count from the start of
    `buffer`; frame `i` is packet `first + i` of the run, from 0.  `interfaces` names the interfaces that `frames["interface"]`
    refers to; 0 is "none named".  Both arrays stay valid as long as the batch, or a view of them, is alive.
    """

    buffer: Bytes
    frames: Frames
    first: int
    interfaces: dict[int, str]
    totals: Totals

    @property
    def backwards(self) -> int:
        """How many frames are older than the frame before them in their file."""
        return self.totals.backwards


@dataclass(slots=True)
class CaptureSummary:
    """What a run has read so far.  `unsupported` holds the link types that twinwall does not decode."""

    files: list[str] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)
    unsupported: set[int] = field(default_factory=set)
