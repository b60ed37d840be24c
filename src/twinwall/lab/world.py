"""A world: a process alone in new namespaces, which take everything with them when it ends.

As root, or in a user namespace where the kernel lets everybody make one.  The worker ends when its standard input closes, so
also when this process is killed; it is the first process of its process namespace, and the kernel ends the others with it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Self, TypeVar

from twinwall.lab.messages import Failure, Progress, Refused, Task
from twinwall.lab.places import execute, found
from twinwall.live.error import EnforcementError
from twinwall.policy.diagnostic import PolicyError

Result = TypeVar("Result")
NAMESPACES = ("--net", "--mount", "--pid", "--fork", "--kill-child")
END = 10  # seconds in which a world must end after its input has closed


@dataclass(frozen=True)
class Ground:
    """What a world stands on, and how it is made; `privileged`: root of the machine, not only of a user namespace."""

    name: str
    flags: tuple[str, ...]
    privileged: bool


GROUNDS = (
    Ground("root", NAMESPACES, privileged=True),
    Ground("a user namespace", ("--user", "--map-root-user", *NAMESPACES), privileged=False),
)


def find_ground() -> Ground:
    """The first ground that holds.  Raises `EnforcementError` with what the kernel said about each."""
    refusals = []
    for ground in GROUNDS:
        if ground.privileged and os.geteuid() != 0:
            continue
        done = execute([found("unshare"), *ground.flags, found("true")])
        if done.returncode == 0:
            return ground
        refusals.append(f"{ground.name}: {done.stderr.strip()}")
    raise EnforcementError("make a world", "; ".join(refusals), "run it as root, or allow unprivileged user namespaces")


class Worlds:
    """The worlds of one lab.  A context manager; closing it ends them all, and threads that wait in `run` get an error."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._running: list[subprocess.Popen[bytes]] = []
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every world, and wait until it is gone."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, []
        for worker in running:
            _end(worker)

    def run(self, task: Task, result: type[Result], progress: Callable[[Progress], None]) -> Result:
        """Make a world, let it do its task, and take it down.  Raises `EnforcementError` or `PolicyError`."""
        worker = self._start()
        with contextlib.suppress(BrokenPipeError):
            pickle.dump(task, _stream(worker.stdin))
            _stream(worker.stdin).flush()
        outcome = _listen(worker, task, progress)
        _end(worker)
        assert isinstance(outcome, result)
        return outcome

    def _start(self) -> subprocess.Popen[bytes]:
        command = [found("unshare"), *self.ground.flags, sys.executable, "-m", "twinwall.lab.worker"]
        with self._lock:
            if self._closed:
                raise EnforcementError("play", "the lab was ended", "start it again")
            # A session of its own: Ctrl-C is this process's to handle.
            worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
            self._running.append(worker)
        return worker


def _listen(worker: subprocess.Popen[bytes], task: Task, progress: Callable[[Progress], None]) -> object:
    """What the world says, up to its result."""
    while True:
        try:
            message = pickle.load(_stream(worker.stdout))  # noqa: S301 - from the process that `_start` started
        except (EOFError, pickle.UnpicklingError):
            break
        if isinstance(message, Failure):
            raise EnforcementError(*message)
        if isinstance(message, Refused):
            raise PolicyError(message.diagnostics)
        if not isinstance(message, Progress):
            return message
        progress(message)
    _end(worker)
    said = _stream(worker.stderr).read().decode(errors="replace").strip()
    if "Traceback" in said:
        raise RuntimeError(f"a world broke, playing {task.name}:\n{said}")  # ours, not the user's
    raise EnforcementError(f"play {task.name}", f"the world ended early: {said or 'it was killed'}", "start the lab again")


def _end(worker: subprocess.Popen[bytes]) -> None:
    """Close a world's input, which ends it; wait for that, and insist if it takes long."""
    with contextlib.suppress(BrokenPipeError):
        _stream(worker.stdin).close()
    try:
        worker.wait(END)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _stream(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
