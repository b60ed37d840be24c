"""Ctrl-C in the middle of a run: what is being decided is finished and written first, so that all outputs say the same.

A termination or a lost terminal is treated alike: temporary files must not stay behind.  A signal that the caller of the
program chose to ignore stays ignored.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType

GLANCE = 0.2  # seconds after which it is looked whether somebody has asked
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # by name: not every system has all of them


class Interrupts(AbstractContextManager["Interrupts"]):
    """While entered, a signal sets `asked`; where the program only waits (`welcome`), and the second time, it interrupts."""

    def __init__(self) -> None:
        self.asked = False
        self._welcome = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self  # only the main thread may handle signals, and only it receives them
        for name in SIGNALS:
            number = getattr(signal.Signals, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # what `signal.signal` returned
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the system's signature
        if self._welcome or self.asked:
            raise KeyboardInterrupt
        self.asked = True

    @contextmanager
    def welcome(self) -> Iterator[None]:
        """Where nothing is lost by an interruption: it is a KeyboardInterrupt here, also if it was asked for before."""
        if self.asked:
            raise KeyboardInterrupt
        self._welcome = True
        try:
            yield
        finally:
            self._welcome = False


def wait_for(interrupts: Interrupts, seconds: float) -> None:
    """Wait, but not beyond a request to stop."""
    end = time.monotonic() + seconds
    while not interrupts.asked and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, GLANCE))
