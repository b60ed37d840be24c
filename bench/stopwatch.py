"""Run a program to its end on one core: how long it took, what it printed."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One finished run: wall-clock seconds and standard output."""

    seconds: float
    output: str


class FailedError(Exception):
    """A measured program failed; the message is the end of what it said."""


def run(words: list[str | Path], *, environment: dict[str, str] | None = None) -> Run:
    """Run one program on the first core and measure it."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        given = {**os.environ, **(environment or {}), "BENCH_START": repr(start)}
        pinned = ["taskset", "-c", "0", *map(str, words)]
        child = subprocess.Popen(pinned, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=given)
        child.wait()
        seconds = time.monotonic() - start
        out.seek(0)
        err.seek(0)
        text = out.read().decode(errors="replace")
        if child.returncode != 0:
            said = err.read().decode(errors="replace").strip() or text.strip()
            raise FailedError(f"{' '.join(map(str, words))}: exit {child.returncode}: {said[-500:]}")
    return Run(seconds, text)
