"""The worker: a task on its standard input, messages on its standard output, and nothing of it left."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.worlds import in_a_world, lab_or_skip
from twinwall.lab.messages import Failure, Outcome, Play, Refused
from twinwall.lab.places import found
from twinwall.lab.policies import STATEFUL, bundled
from twinwall.lab.servers import ACCOUNT
from twinwall.lab.world import find_ground
from twinwall.policy.model import Attach, Policy
from twinwall.rules.policy_file import read_policy_text

pytestmark = pytest.mark.kernel
LIMIT = 30  # seconds
IMPOSSIBLE = "twinwall: 1\ntracking: {flows: rules}\nstateful: {rules: 'pass tcp any any -> any 80 (sid:7;)'}\n"


@pytest.fixture(autouse=True)
def _ground():
    lab_or_skip()


class Noise:
    """Something that writes to standard output while the worker reads it."""

    def __reduce__(self):
        return os.write, (1, b"noise")


def worker():
    return [found("unshare"), *find_ground().flags, sys.executable, "-m", "twinwall.lab.worker"]


def ended(task: object):
    """The worker after its task, with its input open all the time."""
    ours, its = os.pipe()
    with os.fdopen(ours, "rb") as reading, os.fdopen(its, "wb") as writing:
        pickle.dump(task, writing)
        writing.flush()
        return subprocess.run(worker(), stdin=reading, capture_output=True, check=False, timeout=LIMIT)


def messages(done):
    stream, found = io.BytesIO(done.stdout), []
    while stream.tell() < len(done.stdout):
        found.append(pickle.load(stream))
    return found


def test_a_policy_that_cannot_be_enforced_is_refused_with_its_diagnostics():
    policy = read_policy_text(IMPOSSIBLE, "impossible", open)[0]
    done = ended(Play("impossible", False, policy))
    assert done.returncode == 1
    *_, last = messages(done)
    assert isinstance(last, Refused)
    assert any("flows" in str(each) for each in last.diagnostics)


def test_a_world_that_cannot_be_built_is_a_failure_and_only_messages_are_among_the_answers():
    done = ended(Play(Noise(), False, Policy(attach=Attach(inside=("a/b",), outside=("wan0",)))))
    assert b"noise" in done.stderr
    assert done.returncode == 1
    (failure,) = messages(done)
    assert isinstance(failure, Failure)
    assert "a/b" in failure.action + failure.cause


def test_it_ends_when_its_input_closes():
    task = pickle.dumps(Play("stateful", False, bundled(STATEFUL)))
    done = subprocess.run(worker(), input=task, capture_output=True, check=False, timeout=LIMIT)
    assert done.returncode == 1
    assert done.stderr == b""
    assert not any(isinstance(each, Outcome) for each in messages(done))


SETTLED = """
import json, os
from pathlib import Path
from twinwall.lab.worker import FOLDER, settle_in
settle_in(privileged=True)
accounts = [line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()]
processes = [each for each in os.listdir("/proc") if each.isdigit()]
print(json.dumps([accounts, processes, os.listdir("/sys/class/net"), os.listdir("/run"), FOLDER.is_dir()]))
"""


def test_it_sees_its_own_world_and_leaves_the_machine_as_it_was():
    before = Path("/etc/passwd").read_text()
    accounts, processes, interfaces, run, folder = in_a_world(SETTLED, "")
    assert accounts[-1] == ACCOUNT
    assert (processes, interfaces, folder) == (["1"], ["lo"], True)
    assert set(run) <= {"twinwall-lab", "mount"}  # mount(8) keeps its own notes there
    assert Path("/etc/passwd").read_text() == before
    assert not Path("/run/twinwall-lab").exists()
