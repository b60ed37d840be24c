"""Write pcapng (draft-ietf-opsawg-pcapng): the packets that a replay passed or dropped.

One section, little-endian, times in nanoseconds.  An interface block for every link type and interface name that occurs,
written before the first packet that needs it.  The file appears under its name when it is complete and not before.
"""

from __future__ import annotations

import os
import struct
import tempfile
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from twinwall.capture.error import CaptureError

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
    """A pcapng file in the making; a context manager.

    It is written beside its place under another name and moved there by `close`; when the block is left by an exception, or
    writing fails (`CaptureError`: full disk, no permission), nothing stays behind and what was there before is untouched.
    A pipe or a device is written to directly.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.written = 0  # bytes
        self._encoder = PcapngEncoder()
        self._file: FileIO | None = None
        self._temporary: Path | None = None
        try:
            self._file = self._open(self.path.resolve())
        except OSError as failure:
            raise self._error(failure) from None
        self._put(SECTION)

    def _open(self, target: Path) -> FileIO:
        if target.exists() and not target.is_file():
            return FileIO(target, "wb")
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        self._temporary = Path(temporary)
        return FileIO(descriptor, "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, batch: FrameBatch, mask: npt.NDArray[np.bool_] | None = None) -> None:
        """Append the batch's frames for which `mask` holds, or all of them."""
        self.write_frames(batch.buffer, batch.frames if mask is None else batch.frames[mask], batch.interfaces)

    def write_frames(self, buffer: Bytes, frames: Frames, names: Mapping[int, str]) -> None:
        """Append these frames (array of `path.layout.FRAME`) of `buffer`; `names` as in `FrameBatch.interfaces`."""
        for part in self._encoder.encode(buffer, frames, names):
            self._put(part)

    def close(self) -> None:
        """Complete the file and give it its name."""
        if self._file is None:
            return
        try:
            if self._temporary is not None:
                os.fsync(self._file.fileno())
                os.fchmod(self._file.fileno(), 0o666 & ~_umask())
                self._temporary.replace(self.path.resolve())
                self._temporary = None
            self._file.close()
            self._file = None
        except OSError as failure:
            self.discard()
            raise self._error(failure) from None

    def discard(self) -> None:
        """Give up: remove what was written."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None

    def _put(self, data: bytes | Bytes) -> None:
        if self._file is None:
            raise self._error(ValueError("the file is closed"))
        view = memoryview(data) if isinstance(data, bytes) else data.data
        try:
            while len(view):
                count = self._file.write(view)
                self.written += count
                view = view[count:]
        except OSError as failure:
            self.discard()
            raise self._error(failure) from None

    def _error(self, failure: Exception) -> CaptureError:
        reason = failure.strerror if isinstance(failure, OSError) else str(failure)
        return CaptureError(
            str(self.path), self.written, f"cannot be written: {reason}", "choose a place with room and permission"
        )


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
