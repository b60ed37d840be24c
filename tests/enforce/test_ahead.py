"""What is computed ahead is what is computed in place; a child keeps no lock, and its death costs only time."""

import os
import signal

import pytest

from twinwall.enforce.ahead import Ahead
from twinwall.enforce.lock import Lock, is_held


def test_the_result_comes_back():
    assert Ahead(lambda: "x" * 1_000_000).result() == "x" * 1_000_000
    assert Ahead(os.getpid).result() != os.getpid()


def test_an_error_is_raised_where_the_result_is_asked_for():
    def fail():
        raise ValueError("no")

    begun = Ahead(fail)
    with pytest.raises(ValueError, match="no"):
        begun.result()


def test_a_killed_child_s_work_is_done_in_place():
    def once():
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    parent = os.getpid()
    assert Ahead(once).result() == "done"


def test_a_child_whose_result_nobody_asks_for_does_not_hold_the_lock(tmp_path):
    path = tmp_path / "lock"
    with Lock(path, "apply"):
        begun = Ahead(lambda: "x" * 1_000_000)
        assert begun.result()
        waiting = Ahead(lambda: "x" * 1_000_000)
    reading = os.fdopen(waiting._pipe, "rb", buffering=0)
    assert reading.read(1), "it has begun to send, and so has closed what is not its own"
    assert not is_held(path)
    waiting._pipe = os.dup(reading.fileno())
    reading.close()
    os.kill(waiting._child, signal.SIGKILL)
    assert waiting.result() == "x" * 1_000_000
