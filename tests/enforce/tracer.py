"""Run a function in a process of its own, system call by system call, and kill it at one of them.

ptrace(2) stops the process, and every process that it starts, before and after each system call; the stops are counted
together, and at the chosen one the process that stands there gets SIGKILL.  Whoever it has started goes on by itself, as
after a kill from outside; who begins a session of its own is let go.  The function begins to count by `mark` and ends it by
returning.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

TRACE_ME, CONTINUE, SYSCALL, DETACH, SET_OPTIONS, GET_EVENT = 0, 7, 24, 17, 0x4200, 0x4201
SYSGOOD, FORK, VFORK, CLONE, EXEC, EXITKILL = 1, 2, 4, 8, 16, 0x100000
OPTIONS = SYSGOOD | FORK | VFORK | CLONE | EXEC
STOPPED_AT_CALL = signal.SIGTRAP | 0x80
WALL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class Run(NamedTuple):
    """How many stops there were, and how the function's process ended: its status, or minus the signal."""

    stops: int
    status: int
    killed: str  # the program that was killed; empty if none was


def mark() -> None:
    """Where the counting begins: a signal that stops the process and does nothing else."""
    os.kill(os.getpid(), signal.SIGSTOP)


def run(function: Callable[[], int], kill_at: int = 0) -> Run:
    """Run it, traced from `mark` on.  `kill_at`: the stop at which to kill, from 1; 0 never."""
    child = os.fork()
    if child == 0:
        _become(function)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"ended before the mark: {status}"
    _ptrace(SET_OPTIONS, child, OPTIONS | EXITKILL)
    _ptrace(SYSCALL, child, 0)
    return _follow(child, kill_at)


def _become(function: Callable[[], int]) -> None:
    status = 70
    try:
        _ptrace(TRACE_ME, 0, 0)
        status = function()
    finally:
        os._exit(status)


def _follow(child: int, kill_at: int) -> Run:
    stops, ended, killed, others = 0, None, "", set()
    while ended is None or others:
        pid, status = os.waitpid(-1, WALL)
        if pid != child and pid not in others and not os.WIFSTOPPED(status):
            continue
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            others.discard(pid)
            if pid == child:
                ended = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            continue
        if pid != child:
            if _lives_alone(pid):
                others.discard(pid)
                _ptrace(DETACH, pid, 0)
                continue
            others.add(pid)
        number = os.WSTOPSIG(status)
        if number == STOPPED_AT_CALL:
            stops += 1
            if stops == kill_at:
                killed = _name(pid)
                os.kill(pid, signal.SIGKILL)
                continue
        ours = number in (STOPPED_AT_CALL, signal.SIGTRAP, signal.SIGSTOP)
        _ptrace(SYSCALL, pid, 0 if ours else number)
    return Run(stops, ended, killed)


def _lives_alone(pid: int) -> bool:
    """Whether a process has left the session: a watchdog, which is to outlive the command."""
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as stream:
            return stream.read().strip()
    except OSError:
        return "?"


def _ptrace(request: int, pid: int, data: int) -> None:
    if _libc.ptrace(request, pid, None, data) != 0:
        number = ctypes.get_errno()
        if number != 3:  # ESRCH: it has been killed meanwhile
            raise OSError(number, f"ptrace {request}")
