"""One change at a time, and nobody waits for the dead."""

import os
import subprocess
import sys
import threading

import pytest

from twinwall.enforce.lock import NOBODY, Lock, is_held, read_holder, started
from twinwall.live.error import EnforcementError

HOLD = """
import sys
from pathlib import Path
from twinwall.enforce.lock import Lock
with Lock(Path(sys.argv[1]), "apply"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "lock"


@pytest.fixture
def holder(path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_hears_who_holds_it_and_gives_up(path, holder):
    heard = []
    with pytest.raises(EnforcementError, match="is changing the policy"), Lock(path, "plan", patience=0, waiting=heard.append):
        pytest.fail("two hold the lock")
    assert (heard[0].pid, heard[0].command) == (holder.pid, "apply")
    assert str(heard[0]) == f"`twinwall apply` (process {holder.pid})"
    assert heard[0].started == started(holder.pid) > 0


def test_the_second_waits_for_the_first(path, holder):
    done = threading.Event()

    def second():
        with Lock(path, "plan"):
            done.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not done.is_set()
    holder.stdin.write(b"\n")
    holder.stdin.flush()
    thread.join(10)
    assert done.is_set()


def test_a_killed_holder_leaves_nothing(path, holder):
    assert is_held(path)
    holder.kill()
    holder.wait()
    assert not is_held(path)
    with Lock(path, "plan", patience=0):
        assert read_holder(path).pid == os.getpid()


def test_a_child_that_got_the_lock_holds_it_longer_than_its_parent(path):
    with Lock(path, "apply") as lock:
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock.descriptor])
    assert is_held(path)
    child.communicate(b"")
    assert not is_held(path)


def test_nobody_holds_what_is_not_there(tmp_path):
    assert not is_held(tmp_path / "lock")
    assert read_holder(tmp_path / "lock") == NOBODY
    assert str(NOBODY) == "another twinwall command"
    assert started(2**22 + 1) == 0
