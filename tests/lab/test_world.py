"""A world ends with whoever started it, and takes everything along."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.running import PROGRAM
from tests.lab.worlds import lab_or_skip
from twinwall.lab.messages import Outcome, Play, Progress
from twinwall.lab.policies import STATEFUL, bundled
from twinwall.lab.world import Worlds, find_ground
from twinwall.live.error import EnforcementError
from twinwall.policy.model import Attach, Policy

pytestmark = pytest.mark.kernel
PATIENCE = 60


@pytest.fixture(autouse=True)
def _ground():
    lab_or_skip()


def children(pid: int) -> set[int]:
    """Every process below one."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found |= {int(path.parent.name), *children(int(path.parent.name))}
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def wait_until(condition, what):
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_nothing_is_left_of_a_lab_that_is_ended(how):
    mounts, links = Path("/proc/mounts").read_text(), sorted(os.listdir("/sys/class/net"))
    lab = subprocess.Popen([*PROGRAM, "lab"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        # Three worlds, each with its servers.
        wait_until(lambda: len(children(lab.pid)) >= 12 or lab.poll() is not None, "the worlds are not built")
        assert lab.poll() is None, lab.communicate()
        started = children(lab.pid)
        lab.send_signal(how)
        assert lab.wait(PATIENCE) == {signal.SIGINT: 130}.get(how, -how)
        wait_until(lambda: not alive(started), f"still there: {alive(started)}")
    finally:
        lab.kill()
        lab.communicate()
    assert Path("/proc/mounts").read_text() == mounts
    assert sorted(os.listdir("/sys/class/net")) == links


def test_a_world_that_breaks_says_why_and_is_gone():
    impossible = Policy(attach=Attach(inside=("a/b",), outside=("outside",)))
    ground = find_ground()
    before = children(os.getpid())
    with Worlds(ground) as worlds, pytest.raises(EnforcementError, match="a/b"):
        worlds.run(Play("broken", ground.privileged, impossible), Outcome, lambda _: None)
    assert children(os.getpid()) <= before


def test_closing_ends_a_world_that_is_playing():
    ground = find_ground()
    before = children(os.getpid())
    with Worlds(ground) as worlds:

        def close(_: Progress) -> None:
            worlds.close()

        with pytest.raises(EnforcementError, match="ended early"):
            worlds.run(Play("stateful", ground.privileged, bundled(STATEFUL)), Outcome, close)
        with pytest.raises(EnforcementError, match="the lab was ended"):
            worlds.run(Play("stateful", ground.privileged, bundled(STATEFUL)), Outcome, close)
    assert children(os.getpid()) <= before
