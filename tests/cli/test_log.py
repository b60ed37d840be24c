"""`twinwall log` with real packets, in a namespace of the test's own."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cli.running import PROGRAM, ROOT
from tests.enforce.test_log import PORT, RULES, RULESET, talk
from tests.live.namespace import namespace

pytestmark = pytest.mark.kernel


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.rules"
    path.write_text(RULES)
    return path


@pytest.fixture
def space():
    with namespace() as made, made.entered():
        made.run("nft", "-f", "-", text=RULESET)
        yield made


def logging(*arguments):
    """The program, once it receives the log group."""
    running = subprocess.Popen(
        [*PROGRAM, "log", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    groups = "/proc/thread-self/net/netfilter/nfnetlink_log"
    while running.poll() is None:
        with open(groups) as listed:
            if listed.read().strip():
                return running
        try:
            running.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(running.stderr.read())


def test_it_ends_after_so_many_records(space, policy):
    with logging("--policy", policy, "--count", 2) as running:
        for _ in range(3):
            talk(PORT)
        printed = [json.loads(line) for line in running.stdout]
        assert running.wait(10) == 0
    assert [record["event_type"] for record in printed] == ["alert", "drop"]
    assert printed[0]["alert"]["signature_id"] == 7


def test_it_follows_until_it_is_stopped(space, policy):
    with logging("--policy", policy, "--follow") as running:
        for _ in range(2):
            talk(PORT)
            assert json.loads(running.stdout.readline())["event_type"] == "alert"
            assert json.loads(running.stdout.readline())["event_type"] == "drop"
        running.terminate()
        assert running.wait(10) == 0
        assert running.stderr.read() == ""


def test_a_closed_pipe_ends_it_quietly_also_while_nothing_happens(space, policy):
    with logging("--policy", policy, "--follow") as running:
        running.stdout.close()
        assert running.wait(10) == 4
        assert running.stderr.read() == ""


def test_a_second_log_is_refused_with_a_remedy(space, policy):
    with logging("--policy", policy, "--follow") as running:
        second = subprocess.run(
            [*PROGRAM, "log", "--policy", str(policy)], capture_output=True, text=True, cwd=ROOT, check=False
        )
        running.terminate()
        running.stdout.read()
    assert second.returncode == 5
    assert f"(process {running.pid}) receives it\n    hint: " in second.stderr
