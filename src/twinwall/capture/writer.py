"""Write pcapng (draft-ietf-opsawg-pcapng): the packets that a replay passed or dropped.

One section, little-endian, times in nanoseconds.  An interface block for every link type and interface name that occurs,
written before the first packet that needs it.  The file appears under its name when it is complete and not before.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from twinwall.events.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinwall.capture.batch import FrameBatch, Frames
    from twinwall.capture.buffers import Bytes

BLOCK_HEAD = 28  # of an enhanced packet block, before the data
BLOCK_FRAME = 32  # head and trailing length
NANOSECOND_RESOLUTION = 9
OPTION_NAME, OPTION_RESOLUTION, OPTION_END = 2, 9, 0
GATHERED_BYTES = 8 << 20  # blocks are put together in pieces of about this size
SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
LONGEST_NAME = 1024

HEAD = np.dtype(
    [
        ("type", "<u4"),
        ("length", "<u4"),
        ("interface", "<u4"),
        ("high", "<u4"),
        ("low", "<u4"),
        ("captured", "<u4"),
        ("wire", "<u4"),
    ]
)


def interface_block(linktype: int, name: str) -> bytes:
    """An interface description block with nanosecond times and, unless it is "", a name; no snap length."""
    options = _option(OPTION_NAME, name.encode()[:LONGEST_NAME]) if name else b""
    options += _option(OPTION_RESOLUTION, bytes([NANOSECOND_RESOLUTION])) + _option(OPTION_END, b"")
    total = 20 + len(options)
    return struct.pack("<IIHHI", 1, total, linktype & 0xFFFF, 0, 0) + options + struct.pack("<I", total)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


class PcapngEncoder:
    """Frames in, bytes of a pcapng file out."""

    def __init__(self) -> None:
        self._interfaces: dict[int, int] = {}

    def encode(self, buffer: Bytes, frames: Frames, names: Mapping[int, str]) -> list[bytes | Bytes]:
        """Blocks for these frames of `buffer` (array of `path.layout.FRAME`); `names` as in `FrameBatch.interfaces`."""
        if len(frames) == 0:
            return []
        keys = (frames["linktype"].astype(np.uint64) << np.uint64(8)) | frames["interface"]
        found, inverse = np.unique(keys, return_inverse=True)
        parts: list[bytes | Bytes] = []
        numbers = np.empty(len(found), np.uint32)
        for index, key in enumerate(found.tolist()):
            if key not in self._interfaces:
                self._interfaces[key] = len(self._interfaces)
                parts.append(interface_block(key >> 8, names.get(key & 0xFF, "")))
            numbers[index] = self._interfaces[key]
        parts.extend(_packet_blocks(buffer, frames, numbers[inverse]))
        return parts


def _packet_blocks(buffer: Bytes, frames: Frames, interfaces: npt.NDArray[np.uint32]) -> list[Bytes]:
    """Enhanced packet blocks of these frames, in pieces of bounded size."""
    captured = frames["captured_length"].astype(np.int64)
    padded = (captured + 3) & ~3
    ends = np.cumsum(padded + BLOCK_FRAME)
    cuts = np.searchsorted(ends, np.arange(GATHERED_BYTES, int(ends[-1]) + GATHERED_BYTES, GATHERED_BYTES), "right")
    pieces, start = [], 0
    for cut in (*cuts.tolist(), len(frames)):
        stop = max(cut, min(start + 1, len(frames)))
        if stop > start:
            pieces.append(_blocks_of(buffer, frames[start:stop], interfaces[start:stop]))
        start = stop
    return pieces


def _blocks_of(buffer: Bytes, frames: Frames, interfaces: npt.NDArray[np.uint32]) -> Bytes:
    captured = frames["captured_length"].astype(np.int64)
    lengths = ((captured + 3) & ~3) + BLOCK_FRAME
    ends = np.cumsum(lengths)
    starts = ends - lengths
    heads = np.zeros(len(frames), HEAD)
    heads["type"] = 6
    heads["length"] = lengths
    heads["interface"] = interfaces
    heads["high"] = frames["timestamp"] >> np.uint64(32)
    heads["low"] = frames["timestamp"] & np.uint64(0xFFFFFFFF)
    heads["captured"] = captured
    heads["wire"] = frames["wire_length"]
    out = np.zeros(int(ends[-1]), np.uint8)
    words = out.view("<u4")  # every block begins and ends at a multiple of 4
    words[(starts[:, None] >> 2) + np.arange(BLOCK_HEAD // 4)] = heads.view("<u4").reshape(len(frames), -1)
    words[(ends >> 2) - 1] = lengths
    # One slice copy per packet: NumPy's gathers cost more than this from some 50 bytes on.
    target, source = out.data, buffer.data
    rows = zip((starts + BLOCK_HEAD).tolist(), frames["offset"].tolist(), captured.tolist(), strict=True)
    for to, at, count in rows:
        target[to : to + count] = source[at : at + count]
    return out


class PcapngWriter:
    """A pcapng file in the making; a context manager that completes the file or, on an exception, leaves none.

    What a path means, and what a refused write leaves behind, is `events.sink.Sink`'s: every method raises `OutputError`.
    """

    def __init__(self, path: str | Path) -> None:
        self._encoder = PcapngEncoder()
        self._sink = Sink(path)
        self._sink.write(SECTION)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sink.__exit__(kind, error, trace)

    def write(self, batch: FrameBatch, mask: npt.NDArray[np.bool_] | None = None) -> None:
        """Append the batch's frames for which `mask` holds, or all of them."""
        self.write_frames(batch.buffer, batch.frames if mask is None else batch.frames[mask], batch.interfaces)

    def write_frames(self, buffer: Bytes, frames: Frames, names: Mapping[int, str]) -> None:
        """Append these frames (array of `path.layout.FRAME`) of `buffer`; `names` as in `FrameBatch.interfaces`."""
        for part in self._encoder.encode(buffer, frames, names):
            self._sink.write(part if isinstance(part, bytes) else part.data)
