"""Running measured programs."""

from __future__ import annotations

import sys

import pytest

from bench.stopwatch import FailedError, run


def test_a_run_tells_what_was_printed() -> None:
    done = run([sys.executable, "-c", "print('done')"])
    assert done.output == "done\n"
    assert done.seconds > 0


def test_the_environment_reaches_the_program() -> None:
    done = run([sys.executable, "-c", "import os; print(os.environ['ASKED'], float(os.environ['BENCH_START']) > 0)"],
               environment={"ASKED": "yes"})  # fmt: skip
    assert done.output == "yes True\n"


def test_a_failure_is_an_error_with_the_programs_last_words() -> None:
    with pytest.raises(FailedError, match="exit 3: no such luck"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('no such luck'); sys.exit(3)"])
