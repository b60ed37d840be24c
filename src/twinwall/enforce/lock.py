"""One change at a time: an advisory lock on a file of the state folder, held by a descriptor and therefore never left behind.

A child that gets the descriptor holds the lock with its parent: a killed command's `nft` finishes before anybody else begins.
"""

from __future__ import annotations

import fcntl
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from twinwall.enforce.disk import PRIVATE_FILE, READ_ONLY, make_folder, refusal
from twinwall.live.error import EnforcementError

PERIOD = 0.02  # seconds between two tries: flock has no waiting with an end


@dataclass(frozen=True)
class Holder:
    """Who holds the lock, as he wrote it there."""

    pid: int
    command: str
    started: int  # of the process, in clock ticks since boot: with `pid` it names one process, never two

    def __str__(self) -> str:
        return f"`twinwall {self.command}` (process {self.pid})" if self.pid else "another twinwall command"


NOBODY = Holder(0, "", 0)


class Lock:
    """The lock, as a context manager.  `waiting` is told once who holds it, before the wait."""

    def __init__(
        self, path: Path, command: str, *, patience: float | None = None, waiting: Callable[[Holder], None] | None = None
    ) -> None:
        """`patience`: seconds to wait; None for as long as it takes, 0 not at all."""
        self.path = path
        self.command = command
        self.patience = patience
        self.descriptor = -1
        self._waiting = waiting

    def __enter__(self) -> Self:
        self.descriptor = self._open()
        try:
            self._take()
            self._sign()
        except BaseException:  # Ctrl-C while waiting, too: nobody else would close it
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def _open(self) -> int:
        try:
            make_folder(self.path.parent)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            if error.errno == READ_ONLY and self.path.exists():  # a read-only disk must not keep the watchdog from its work
                return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            raise refusal(f"open {self.path}", error) from error

    def _take(self) -> None:
        if self._try():
            return
        if self._waiting is not None:
            self._waiting(read_holder(self.path))
        end = None if self.patience is None else time.monotonic() + self.patience
        while not self._try():
            if end is not None and time.monotonic() >= end:
                cause = f"{read_holder(self.path)} is changing the policy"
                raise EnforcementError("change the policy", cause, "wait for it, or leave --no-wait out")
            select.select([], [], [], PERIOD)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except InterruptedError:
            return False
        return True

    def _sign(self) -> None:
        """Say who holds it.  A full disk cannot prevent that the lock is held; then nobody can read by whom."""
        record = orjson.dumps({"pid": os.getpid(), "command": self.command, "started": started(os.getpid())})
        try:
            os.pwrite(self.descriptor, record.ljust(256), 0)
        except OSError:
            return

    def _close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock at this moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_holder(path: Path) -> Holder:
    """Who signed last; `NOBODY` if that cannot be read."""
    try:
        record = orjson.loads(path.read_bytes())
        return Holder(int(record["pid"]), str(record["command"]), int(record["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return NOBODY


def started(pid: int) -> int:
    """When a process started, in ticks since boot; 0 if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[19])
