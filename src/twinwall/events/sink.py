"""An output: a file that is complete or not there at all, or standard output.

A regular file is written under a temporary name beside its target and takes the target's place when it is finished, so
that whoever looks finds either what was there before or everything.  Standard output (`-`), devices and pipes cannot be
replaced and are written straight.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

STANDARD_OUTPUT = "-"


class OutputError(Exception):
    """An output that cannot be written: which one, why, and what to do about it."""

    def __init__(self, path: str, cause: str, remedy: str) -> None:
        self.path = path
        self.cause = cause
        self.remedy = remedy
        super().__init__(f"{path}: {cause}\n    hint: {remedy}")

    @classmethod
    def of(cls, path: str, error: OSError) -> OutputError:
        """What the operating system's refusal means for the user."""
        return cls(path, error.strerror or str(error), _remedy(error))


def _remedy(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "create the folder first"
        case NotADirectoryError():
            return "a part of the path is a file; choose another path"
        case IsADirectoryError():
            return "this is a folder; name a file in it"
        case PermissionError():
            return "choose a place that you may write to"
        case BrokenPipeError():
            return "the program that read this output went away; write to a file"
    if error.errno in (28, 122):  # ENOSPC, EDQUOT
        return "free some space or choose another disk; nothing was left behind"
    if error.errno == 30:  # EROFS
        return "the file system is read-only; choose another place"
    return "check the path and the disk"


class Sink:
    """One output, as a context manager: leaving it without an exception completes it, with one discards it.

    Every method raises `OutputError` where the system refuses; a refused write discards the output.
    """

    def __init__(self, target: str | Path) -> None:
        self.path = str(target)
        self._final: Path | None = None
        self._partial: Path | None = None
        try:
            self._stream = self._open()
        except OSError as error:
            raise OutputError.of(self.path, error) from error

    def _open(self) -> BinaryIO:
        if self.path == STANDARD_OUTPUT:
            if sys.stdout is None:
                raise OSError(errno.EBADF, "standard output is closed")
            return sys.stdout.buffer
        final = Path(os.path.realpath(self.path))  # a link keeps pointing at the file it names
        mode = _mode(final)
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(21, os.strerror(21))
        if mode is not None and not stat.S_ISREG(mode):
            return final.open("wb", buffering=0)
        partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        if mode is not None:
            os.chmod(descriptor, stat.S_IMODE(mode))
        self._final, self._partial = final, partial
        return os.fdopen(descriptor, "wb", buffering=1 << 20)

    def write(self, data: bytes | memoryview) -> int:
        """Append bytes; returns how many, as a file does."""
        try:
            return self._write_all(data)
        except OSError as error:
            self.discard()
            raise OutputError.of(self.path, error) from error

    def _write_all(self, data: bytes | memoryview) -> int:
        rest = memoryview(data)
        while rest:  # an unbuffered device may take less than it is given
            rest = rest[self._stream.write(rest) or 0 :]
        return len(data)

    def flush(self) -> None:
        """Hand what was written to the system."""
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputError.of(self.path, error) from error

    def commit(self) -> None:
        """Complete the output: from now on it stands under its name."""
        try:
            self._stream.flush()
            if self._partial is not None and self._final is not None:
                os.fsync(self._stream.fileno())
                self._stream.close()
                self._partial.replace(self._final)
            elif self.path != STANDARD_OUTPUT:
                self._stream.close()
        except OSError as error:
            self.discard()
            raise OutputError.of(self.path, error) from error

    def discard(self) -> None:
        """Give the output up: what stood there before is still there."""
        if self.path == STANDARD_OUTPUT:
            return
        with suppress(OSError):
            self._stream.close()
        if self._partial is not None:
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.commit()
        else:
            self.discard()


def _mode(path: Path) -> int | None:
    """The kind and permissions of an existing file; None where there is none."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
