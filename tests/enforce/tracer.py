"""Run a function in a process of its own, system call by system call, and kill it at one of them.

ptrace(2) stops the process, and every process that it starts, before and after each system call.  These stops are the
boundaries; the process that stands at the chosen one gets SIGKILL.  Whoever it has started goes on by itself, as after a kill
from outside; who begins a session of its own is let go.  The function begins to count by `mark` and ends it by returning.
Calls that change nothing outside the process do not count (`calls`), unless they are asked for.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from tests.enforce.calls import may_matter, name_of

TRACE_ME, CONTINUE, SYSCALL, DETACH, SET_OPTIONS, SYSCALL_INFO = 0, 7, 24, 17, 0x4200, 0x420E
SYSGOOD, FORK, VFORK, CLONE, EXEC, EXITKILL = 1, 2, 4, 8, 16, 0x100000
OPTIONS = SYSGOOD | FORK | VFORK | CLONE | EXEC
STOPPED_AT_CALL = signal.SIGTRAP | 0x80
WALL = 0x40000000
OURSELVES = "we"
GONE = 3  # ESRCH: killed meanwhile
ENTRY = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class _Info(ctypes.Structure):
    """`struct ptrace_syscall_info` of <linux/ptrace.h>, as it is at the entry of a call."""

    _fields_ = (
        ("op", ctypes.c_uint8), ("pad", ctypes.c_uint8 * 3), ("architecture", ctypes.c_uint32), ("place", ctypes.c_uint64),
        ("stack", ctypes.c_uint64), ("number", ctypes.c_uint64), ("arguments", ctypes.c_uint64 * 6),
    )  # fmt: skip


class Boundary(NamedTuple):
    """A stop: before or after the `count`-th call of this name by programs of this name, from 1.

    The function's own process, and forks of it that have not become another program yet, are `OURSELVES`.
    """

    program: str
    call: str
    count: int
    side: str

    def __str__(self) -> str:
        return f"{self.side} {self.call} {self.count} of {self.program}"


class Run(NamedTuple):
    """Where a process could have been killed, and how the function's own one ended: its status, or minus the signal."""

    boundaries: list[Boundary]
    status: int
    killed: Boundary | None


def mark() -> None:
    """Where the counting begins: a signal that stops the process and does nothing else."""
    os.kill(os.getpid(), signal.SIGSTOP)


def run(function: Callable[[], int], kill_at: Boundary | int = 0, *, harmless: bool = False) -> Run:
    """Run it, traced from `mark` on.  `kill_at`: the boundary, or its number from 1; 0 never.

    `harmless`: count the harmless calls too.
    """
    child = os.fork()
    if child == 0:
        _become(function)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"ended before the mark: {status}"
    _ptrace(SET_OPTIONS, child, OPTIONS | EXITKILL)
    _ptrace(SYSCALL, child, 0)
    return _Chase(child, kill_at, harmless).follow()


def _become(function: Callable[[], int]) -> None:
    status = 70
    try:
        _ptrace(TRACE_ME, 0, 0)
        status = function()
    finally:
        os._exit(status)


@dataclass
class _Chase:
    """A process and those that it starts, from stop to stop."""

    child: int
    kill_at: Boundary | int
    harmless: bool
    others: set[int] = field(default_factory=set)
    inside: dict[int, Boundary] = field(default_factory=dict)  # process → the boundary before the call that it is in
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    boundaries: list[Boundary] = field(default_factory=list)
    killed: Boundary | None = None
    status: int | None = None

    def follow(self) -> Run:
        """Until all have ended."""
        while self.status is None or self.others:
            pid, status = os.waitpid(-1, WALL)
            if os.WIFSTOPPED(status):
                self._stopped(pid, os.WSTOPSIG(status))
            elif pid == self.child:
                self.status = os.waitstatus_to_exitcode(status)
            else:
                self.others.discard(pid)
        return Run(self.boundaries, self.status, self.killed)

    def _stopped(self, pid: int, number: int) -> None:
        if pid != self.child:
            if _lives_alone(pid):
                self.others.discard(pid)
                _ptrace(DETACH, pid, 0)
                return
            self.others.add(pid)
        if number == STOPPED_AT_CALL and self.killed is None and self._reached(pid):
            os.kill(pid, signal.SIGKILL)
            return
        ours = number in (STOPPED_AT_CALL, signal.SIGTRAP, signal.SIGSTOP)
        _ptrace(SYSCALL if self.killed is None else CONTINUE, pid, 0 if ours else number)

    def _reached(self, pid: int) -> bool:
        """Count a stop at a call; whether it is the one to kill at."""
        here = self._boundary(pid)
        if here is None:
            return False
        self.boundaries.append(here)
        if self.kill_at in (here, len(self.boundaries)):
            self.killed = here
        return self.killed is not None

    def _boundary(self, pid: int) -> Boundary | None:
        """The boundary that a process stands at; None if it does not count."""
        info = _Info()
        if _ptrace(SYSCALL_INFO, pid, ctypes.addressof(info), ctypes.sizeof(info)) <= 0:
            return None
        if info.op != ENTRY:
            before = self.inside.pop(pid, None)
            return before._replace(side="after") if before else None
        if not self.harmless and not may_matter(info.number, info.arguments, partial(_memory, pid)):
            return None
        program = _program(pid)
        key = OURSELVES if program == _program(os.getpid()) else program, name_of(info.number)
        self.counts[key] += 1
        self.inside[pid] = Boundary(*key, self.counts[key], "before")
        return self.inside[pid]


def _lives_alone(pid: int) -> bool:
    """Whether a process has left the session: a watchdog, which is to outlive the command."""
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def _memory(pid: int, place: int, size: int) -> bytes:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(place)
        return memory.read(size)


def _program(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as stream:
            return stream.read().strip()
    except OSError:
        return "?"


def _ptrace(request: int, pid: int, data: int, size: int = 0) -> int:
    answer: int = _libc.ptrace(request, pid, size, data)
    if answer < 0 and (number := ctypes.get_errno()) != GONE:
        raise OSError(number, f"ptrace {request}")
    return answer
