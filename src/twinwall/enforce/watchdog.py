"""The watchdog: a process of its own that restores what was in force before, unless somebody confirms in time.

It is started and has read everything it needs before the kernel is touched.  It has its own session and no terminal; where
systemd runs the machine it is a unit of its own, so that the end of a login does not end it.  It holds `watchdog.lock` as long
as it lives: that is how others know that it does, also after SIGKILL.  If it is killed, the next command, the guard or the
next boot does its work (`recovery`).

    python -m twinwall.enforce.watchdog STATE-FOLDER CHANGE
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from twinwall.enforce.journal import Author, author
from twinwall.enforce.lock import Lock, is_held, read_holder, started
from twinwall.enforce.recovery import Attendant, blueprint, restore_prepared
from twinwall.enforce.state import Pending, State, uptime
from twinwall.enforce.transaction import Kernel
from twinwall.live.error import EnforcementError

START_PATIENCE = 20.0  # seconds for a process to start and read its policy
LOOK_PERIOD = 0.5  # seconds between two looks at whether somebody has confirmed
LOCK_PATIENCE = 10.0  # seconds after the deadline for a command that holds the lock to end by itself
ATTEMPTS, ATTEMPT_PERIOD = 30, 2.0  # how often a restoration that the kernel refuses is tried, and how far apart
SYSTEMD = Path("/run/systemd/system")  # exists where systemd is process 1


def arm(state: State, pending: Pending) -> None:
    """Start a watchdog for `pending`, and return when it watches.  Raises `EnforcementError`."""
    # What keeps it from its lock is said here, where somebody hears it; one that has nothing to watch any more ends soon.
    with Lock(state.watch_lock, "watchdog", patience=START_PATIENCE):
        pass
    command = [sys.executable, "-P", "-m", "twinwall.enforce.watchdog", str(state.folder.absolute()), pending.id]
    process = subprocess.Popen(
        [*_own_unit(pending), *command],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + START_PATIENCE
    while not alive(state) and state.pending() is not None:  # its time may be over already
        ended = process.poll()
        if ended or time.monotonic() > end:
            cause = f"it ended with status {ended}" if ended else f"it does not watch after {START_PATIENCE:.0f} s"
            remedy = "look at the journal (`twinwall journal`); nothing was changed"
            raise EnforcementError("start the watchdog", cause, remedy)
        select.select([], [], [], 0.01)
    process.returncode = 0  # it outlives us: nobody waits for it


def alive(state: State) -> bool:
    """Whether a watchdog watches."""
    return is_held(state.watch_lock)


def attendant(state: State) -> Attendant:
    """Watchdogs, as `recovery` starts them."""
    return Attendant(lambda: alive(state), lambda pending: arm(state, pending))


def _own_unit(pending: Pending) -> list[str]:
    """What makes systemd start it, where systemd can, and in this network namespace."""
    program = shutil.which("systemd-run")
    if program is None or not SYSTEMD.is_dir() or not _same_namespace():
        return []
    return [program, "--quiet", "--collect", f"--unit=twinwall-watchdog-{pending.id}", "--property=KillMode=process"]


def _same_namespace() -> bool:
    """Whether this is the network namespace of process 1, which starts units."""
    try:
        return Path("/proc/self/ns/net").readlink() == Path("/proc/1/ns/net").readlink()
    except OSError:
        return False


class Watchdog:
    """Watches one change.  Everything that it will need is read when it is made."""

    def __init__(self, state: State, change: str, clock: Callable[[], float] = uptime) -> None:
        pending = state.pending()
        if pending is None or pending.id != change or pending.deadline is None:
            raise EnforcementError("watch a change", f"no change {change} is on trial", "apply a policy with --confirm-within")
        self.state = state
        self.pending = pending
        self.deadline = pending.deadline
        self.old, self.new = blueprint(state, pending.old), blueprint(state, pending.new)
        self._clock = clock

    def watch(self, wait: Callable[[float], None]) -> bool:
        """Wait for the deadline; True if it came, False if the change was confirmed or taken back before."""
        while self.concerned():
            left = self.deadline - self._clock()
            if left <= 0:
                return True
            wait(min(left, LOOK_PERIOD))
        return False

    def concerned(self) -> bool:
        """Whether the change is still on trial.  A state that cannot be read is no confirmation."""
        try:
            pending, confirmed = self.state.pending(), self.state.confirmed()
        except EnforcementError:
            return True
        if confirmed is not None and confirmed.trial == self.pending.id:
            return False
        return pending is not None and pending.id == self.pending.id

    def prepare(self) -> None:
        """Read and render the old policy now, while there is time."""
        if self.old is not None:
            _ = self.old.ruleset
            _ = self.old.stateless

    def bite(self, kernel: Kernel, whom: Author, patience: float = LOCK_PATIENCE) -> str:
        """Restore the old policy; what was done, empty if it had been confirmed after all.  Raises `EnforcementError`."""
        with ExitStack() as stack:
            lock = _take_lock(stack, self.state, patience)
            if lock is not None:
                kernel.hold(lock.descriptor)
            if not self.concerned():
                return ""
            why = "nobody confirmed it in time"
            return restore_prepared(self.state, kernel, self.pending, whom, why, old=self.old, new=self.new)


def _take_lock(stack: ExitStack, state: State, patience: float) -> Lock | None:
    """Take the lock, if need be from a command that does not let go: it may be killed anywhere (`transaction`).

    None if not even that helps: whoever holds it is beyond being killed, and the machine may be beyond reach.
    """
    with suppress(EnforcementError):
        return stack.enter_context(Lock(state.lock, "watchdog", patience=patience))
    holder = read_holder(state.lock)
    if holder.pid and started(holder.pid) == holder.started:
        with suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGKILL)
    with suppress(EnforcementError):
        return stack.enter_context(Lock(state.lock, "watchdog", patience=patience))
    return None


def main(folder: str, change: str) -> int:
    """Watch until the change is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    state = State(folder)
    with ExitStack() as stack:
        watchdog = Watchdog(state, change)
        stack.enter_context(Lock(state.watch_lock, f"watchdog {change}", patience=START_PATIENCE))  # others probe it
        with suppress(Exception):  # what fails now is tried again, and reported, when it is due
            watchdog.prepare()
        if not watchdog.watch(time.sleep):
            return 0
        return _insist(watchdog)


def _insist(watchdog: Watchdog) -> int:
    """Restore, again and again if the kernel refuses."""
    from twinwall.enforce.linux import LinuxKernel  # noqa: PLC0415 - started fast, needed late

    for attempt in range(1, ATTEMPTS + 1):
        try:
            watchdog.bite(LinuxKernel(watchdog.state), author())
        except Exception as error:  # nobody else will restore it, and nobody hears of a traceback
            _report(watchdog, attempt, error)
            time.sleep(ATTEMPT_PERIOD)
        else:
            return 0
    return 1


def _report(watchdog: Watchdog, attempt: int, error: Exception) -> None:
    """Into the journal, the first time and the last."""
    if attempt in (1, ATTEMPTS):
        from twinwall.enforce import change  # noqa: PLC0415 - see above
        from twinwall.enforce.journal import Outcome  # noqa: PLC0415

        detail = f"attempt {attempt} of {ATTEMPTS}: {error}"
        change.note(watchdog.state, watchdog.pending, Outcome.FAILED, detail, action="restore", author=author())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
