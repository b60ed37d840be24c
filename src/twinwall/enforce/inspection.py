"""Running inspectors: a process for each queue, watched, started again when it dies, and all of them anew for another policy.

The kernel spreads connections over the queues by CPU.  While a queue has no process, or one that does not keep up, the kernel
does what the policy's `on_inspection_failure` says; nothing here has to work for that.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

from twinwall.enforce.inspector import HeaderInspector, Inspector, judge_all
from twinwall.enforce.rulebook import Rules
from twinwall.live.error import EnforcementError
from twinwall.live.nfqueue import LONGEST_QUEUE, PacketQueue, QueueFill, queues
from twinwall.policy.model import Attach, InspectionFailure

Say = Callable[[str], None]
GLANCE = 0.5  # seconds between two looks at the policy and at the processes
PATIENCE = 2.0  # seconds that a process may take to end when asked
PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)  # before a dead process is started again: the more often it died, the longer
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How one queue is served."""

    number: int
    fail_open: bool
    longest: int = LONGEST_QUEUE


def settings_of(attach: Attach, longest: int = LONGEST_QUEUE) -> tuple[QueueSettings, ...]:
    """A queue for each number that the policy names."""
    fail_open = attach.on_inspection_failure is InspectionFailure.PASS
    first, last = attach.queues
    return tuple(QueueSettings(number, fail_open, longest) for number in range(first, last + 1))


def serve(settings: QueueSettings, inspector: Inspector, rules: Rules, *, stop: Callable[[], bool], say: Say) -> None:
    """Answer one queue's packets until `stop`.  Raises `EnforcementError`."""
    with PacketQueue(settings.number, fail_open=settings.fail_open, longest=settings.longest) as queue:
        failed: type[Exception] | None = None
        while not stop():
            packets = queue.receive(GLANCE)
            if packets:
                rules.refresh()
            judged = judge_all(inspector, packets)
            queue.answer(judged.answers)
            if judged.failure is not None and type(judged.failure) is not failed:
                failed = type(judged.failure)
                say(f"queue {settings.number}: the inspector failed and left packets undecided: {judged.failure!r}")


def _work(settings: QueueSettings, make: Callable[[Rules], Inspector], rules: Rules, say: Say) -> None:
    """A process's whole life.  It ends with its parent, and leaves by SIGTERM."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    asked = [False]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the parent, which asks with SIGTERM
    signal.signal(signal.SIGTERM, lambda *_: asked.__setitem__(0, True))
    try:
        serve(settings, make(rules), rules, stop=lambda: asked[0], say=say)
    except EnforcementError as error:
        say(str(error))
        os._exit(1)


@dataclass
class _Worker:
    settings: QueueSettings
    process: BaseProcess
    started: float
    deaths: int = 0
    again: float | None = None  # when it is started again, if it is dead


@dataclass
class Inspection:
    """All queues of the policy in force, each with its process.  `run` serves until `stop`."""

    rules: Rules
    say: Say
    make: Callable[[Rules], Inspector] = HeaderInspector
    longest: int = LONGEST_QUEUE
    clock: Callable[[], float] = time.monotonic
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _attach: Attach | None = None
    _looked: bool = False
    _told: dict[int, QueueFill] = field(default_factory=dict)

    def run(self, stop: Callable[[], bool], wait: Callable[[float], None] = time.sleep) -> None:
        """Keep a process at every queue until `stop`.  Raises `EnforcementError`."""
        try:
            while not stop():
                self.step()
                wait(GLANCE)
        finally:
            self._end_all()

    def step(self) -> None:
        """Look once: whether it is still the same policy, all processes live, and the kernel dropped nothing."""
        self.rules.refresh()
        attach = self.rules.book.attach
        if not self._looked or attach != self._attach:
            self._end_all()
            self._attach, self._looked = attach, True
            self._start_all()
        for worker in list(self._workers.values()):
            self._revive(worker)
        self._tell_drops()

    def _start_all(self) -> None:
        if self._attach is None:
            self.say("no policy is in force here; waiting for one")
            return
        for settings in settings_of(self._attach, self.longest):
            self._workers[settings.number] = _Worker(settings, self._start(settings), self.clock())
        first, last = self._attach.queues
        failure = self._attach.on_inspection_failure.value
        self.say(f"inspecting {f'queues {first} to {last}' if last > first else f'queue {first}'}; on failure: {failure}")

    def _start(self, settings: QueueSettings) -> BaseProcess:
        process = multiprocessing.get_context("fork").Process(
            target=_work, args=(settings, self.make, self.rules, self.say), name=f"twinwall queue {settings.number}"
        )
        process.start()
        return process

    def _revive(self, worker: _Worker) -> None:
        if worker.process.is_alive():
            return
        now = self.clock()
        if worker.again is None:
            worker.deaths = 0 if now - worker.started > PAUSES[-1] * 2 else worker.deaths
            worker.again = now + PAUSES[min(worker.deaths, len(PAUSES) - 1)]
            worker.deaths += 1
            self.say(
                f"queue {worker.settings.number}: its process ended ({_ending(worker.process.exitcode)}); starting another"
            )
        if now >= worker.again:
            worker.process, worker.started, worker.again = self._start(worker.settings), now, None

    def _tell_drops(self) -> None:
        """Say how many packets the kernel refused since the last look."""
        for fill in queues():
            before = self._told.get(fill.number, QueueFill(fill.number, 0, 0, 0, 0))
            refused = fill.refused_full + fill.refused_socket
            fresh = refused - before.refused_full - before.refused_socket
            if fill.number in self._workers and fresh > 0:
                self.say(f"queue {fill.number}: no room for {fresh} packets; the inspector does not keep up")
            self._told[fill.number] = fill

    def _end_all(self) -> None:
        for worker in self._workers.values():
            if worker.process.is_alive():
                worker.process.terminate()
        for worker in self._workers.values():
            worker.process.join(PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()
        self._told.clear()

    @property
    def processes(self) -> tuple[int, ...]:
        """The processes' numbers, in the order of the queues."""
        return tuple(worker.process.pid or 0 for worker in self._workers.values())


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
