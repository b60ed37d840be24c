"""`twinwall inspect` as a program; what it does with packets is tested in tests/enforce/test_inspection.py."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.running import PROGRAM, ROOT
from tests.enforce.test_inspection import until
from tests.live.namespace import namespace
from twinwall.live.nfqueue import queues

pytestmark = pytest.mark.kernel

POLICY = """
twinwall: 1
stateful:
  rules: |
    pass udp any any -> any 9000 (inspect; sid:100;)
attach:
  mode: host
  outside: [lo]
  queues: 5-6
"""


def test_it_serves_the_policys_queues_until_it_is_stopped(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    with namespace() as made, made.entered():
        command = [*PROGRAM, "inspect", "--policy", str(path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as running:
            assert running.stderr.readline() == "inspecting queues 5 to 6; on failure: drop\n"
            until(lambda: {fill.number for fill in queues()} == {5, 6})
            running.terminate()
            assert running.wait(10) == 0
            assert running.stderr.read() == ""
        assert queues() == []
