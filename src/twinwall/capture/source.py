"""From a path to bytes: files, pipes, standard input ("-"), decompressed where they are compressed."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from twinwall.capture.error import CaptureError
from twinwall.capture.inflate import COMPRESSIONS, InflatedStream
from twinwall.capture.window import ByteStream

STANDARD_INPUT = "-"
LONGEST_MAGIC = 6


class RawInput:
    """The bytes as they lie in the file, with those looked at in advance."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.taken = 0  # bytes of the file consumed: how far a progress bar is
        self._head = b""

    def peek(self, count: int) -> bytes:
        """The first bytes; fewer than `count` only if the file is shorter."""
        while len(self._head) < count:
            more = self.file.read(count - len(self._head))
            if not more:
                break
            self._head += more
        return self._head

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self.file.read(size)
        self.taken += len(data)
        return data

    def readinto(self, target: memoryview, /) -> int:
        """Fill some of `target`; 0 at the end."""
        if self._head:
            data = self.read(len(target))
            target[: len(data)] = data
            return len(data)
        count: int = self.file.readinto(target)  # type: ignore[attr-defined]  # every binary file has it
        self.taken += count
        return count


@dataclass(frozen=True, slots=True)
class Source:
    """An open capture file."""

    path: str
    raw: RawInput
    stream: ByteStream

    def close(self) -> None:
        """Close the file, unless it is standard input, which is not ours."""
        if self.path != STANDARD_INPUT:
            self.raw.file.close()


def is_regular(path: str) -> bool:
    """Whether the path can be opened twice: not a pipe, not standard input."""
    if path == STANDARD_INPUT:
        return False
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def open_source(path: str) -> Source:
    """Open a capture file; `CaptureError` if that is not possible."""
    try:
        file = sys.stdin.buffer if path == STANDARD_INPUT else Path(path).open("rb", buffering=0)  # noqa: SIM115 - `Source.close`
        raw = RawInput(file)
        head = raw.peek(LONGEST_MAGIC)
    except OSError as failure:
        raise CaptureError(
            path, 0, f"cannot be read: {failure.strerror or failure}", "check the path and its permissions"
        ) from None
    for compression in COMPRESSIONS:
        if head.startswith(compression.magic):
            return Source(path, raw, InflatedStream(raw, compression))
    return Source(path, raw, raw)
