"""Who is on duty is known while he lives and no longer, and there is one of a kind."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from twinwall.enforce.duty import Duty, on_duty, taking
from twinwall.enforce.state import State
from twinwall.live.error import EnforcementError


@pytest.mark.parametrize("duty", [Duty.GUARD, Duty.INSPECT])
def test_who_is_on_duty_is_known_as_long_as_he_is(tmp_path, duty):
    state, said = State(tmp_path / "state"), []
    assert on_duty(state, duty) is None
    with taking(state, duty, said.append):
        holder = on_duty(state, duty)
        assert (holder.pid, holder.command) == (os.getpid(), duty)
        assert on_duty(state, Duty.WATCHDOG) is None
    assert on_duty(state, duty) is None
    assert said == []


def test_a_second_one_is_refused_by_name(tmp_path):
    state = State(tmp_path)
    with taking(state, Duty.GUARD, str), pytest.raises(EnforcementError) as caught, taking(state, Duty.GUARD, str):
        pass
    assert caught.value.cause == f"`twinwall guard` (process {os.getpid()}) does it already"
    assert "end that one first" in caught.value.remedy


LIVING = """
import sys
from twinwall.enforce.duty import Duty, taking
from twinwall.enforce.state import State
with taking(State(sys.argv[1]), Duty.GUARD, print):
    print(flush=True)
    sys.stdin.read()
"""


def test_a_killed_one_is_not_on_duty_any_more(tmp_path):
    command = [sys.executable, "-c", LIVING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert on_duty(State(tmp_path), Duty.GUARD).pid == process.pid
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert on_duty(State(tmp_path), Duty.GUARD) is None


def test_a_state_folder_that_cannot_be_written_is_said_and_keeps_nobody_from_the_work(tmp_path):
    (tmp_path / "file").write_text("no folder")
    said = []
    with taking(State(tmp_path / "file" / "state"), Duty.GUARD, said.append):
        pass
    assert said[0].startswith("warning: `twinwall status` will not see this guard: open ")
    assert "hint:" in said[0]


def test_the_lock_is_nobody_else_s_to_read(tmp_path):
    with taking(State(tmp_path / "state"), Duty.GUARD, str):
        mode = (tmp_path / "state" / "guard.lock").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
