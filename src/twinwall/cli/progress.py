"""The progress bar of a long run: how much of the captures is read, and how fast.  On a terminal; silent elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from twinwall.capture import CaptureRun


class Silence(AbstractContextManager["Silence"]):
    """No bar."""

    def __enter__(self) -> Self:
        return self

    def advance(self) -> None:
        """Say nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


class Bar(Silence):
    """A bar over the bytes of the files, or a count where their size is not known; on standard error."""

    def __init__(self, capture: CaptureRun) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow to import
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        self._capture = capture
        columns = (BarColumn(), TextColumn("{task.fields[packets]:,} packets"), TimeRemainingColumn())
        console = Console(stderr=True, force_terminal=True)  # who asks for a bar in a pipe gets one
        self._progress: Progress = Progress(*columns, console=console, transient=True, refresh_per_second=8)
        self._task: TaskID = self._progress.add_task("replay", total=capture.total, packets=0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def advance(self) -> None:
        """Show what was read since."""
        frames = self._capture.summary.totals.frames
        self._progress.update(self._task, completed=self._capture.taken, packets=frames)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()


def progress_of(capture: CaptureRun, *, wanted: bool | None) -> Silence:
    """The bar that fits: by default one on a terminal; none in a pipe."""
    shown = sys.stderr.isatty() if wanted is None else wanted
    return Bar(capture) if shown else Silence()
