"""Files that are complete or not there: written beside their place, flushed to the disk, renamed.

What this module refuses is always the state folder's own trouble, so every error says the same remedy.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from twinwall.live.error import EnforcementError

FULL, READ_ONLY = (errno.ENOSPC, errno.EDQUOT), errno.EROFS
UNFINISHED = ".new"  # how the name of a file ends that is not whole yet
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700  # rules and journals tell an attacker what is not watched


class DiskError(EnforcementError):
    """The state folder's disk refused; the kernel was not asked."""


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path`: whoever looks finds what was there before or all of it, also after a power cut.

    Raises `EnforcementError`; what was there before then still is.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        make_folder(path.parent)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise refusal(f"write {path}", error) from error


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file and flush it.  Raises `EnforcementError`."""
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            _write_all(descriptor, line + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise refusal(f"write {path}", error) from error


def read_whole(path: Path) -> bytes | None:
    """The contents, or None where there is no such file.  Raises `EnforcementError`."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise refusal(f"read {path}", error) from error


def remove(path: Path) -> None:
    """Remove a file, for good, if it is there.  Raises `EnforcementError`."""
    try:
        path.unlink()
        flush_folder(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise refusal(f"remove {path}", error) from error


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left of files that they were writing.  A disk that refuses leaves it there."""
    for path in folder.glob(f".*{UNFINISHED}"):
        with suppress(OSError):
            path.unlink()


def make_folder(path: Path) -> None:
    """Make a folder that only its owner may look into, with those above it."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(PRIVATE_FOLDER, exist_ok=True)


def flush_folder(path: Path) -> None:
    """Let renames and removals in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def refusal(action: str, error: OSError) -> DiskError:
    """What the system's refusal means for whoever changes a policy."""
    cause = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return DiskError(action, cause, "run it as root, or name a state folder of your own with --state")
    if error.errno in FULL:
        return DiskError(action, cause, "free some space: a change that cannot be recorded could not be taken back")
    if error.errno == READ_ONLY:
        return DiskError(action, cause, "make the file system writable, or name another folder with --state")
    return DiskError(action, cause, "check the state folder (--state) and its disk")
