"""What `status` sees of a host that enforces a policy and has traffic, in both forms of the stateless stage."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import PROGRAM, ROOT, twinwall
from tests.enforce.test_inspection import until
from tests.enforce.watched import ALONE, ELSE, HERE, OPEN, PASSED, POLICY, SHUT, sender, watched
from tests.live.kernel import ebpf_or_skip
from twinwall.enforce.state import State
from twinwall.enforce.status import Observer
from twinwall.enforce.status_problems import problems, remarks
from twinwall.live.nflog import LogGroup
from twinwall.live.xdp import XdpStage

pytestmark = pytest.mark.kernel


@pytest.fixture(params=["xdp", "nft"])
def way(request):
    if request.param == "xdp":
        ebpf_or_skip()
    return request.param


def send_two_of_each(there):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, sender(there) as send:
        receiver.bind((HERE, OPEN))
        for port in (OPEN, SHUT, ALONE, PASSED, ELSE):
            send(port)
            send(port)
        receiver.settimeout(10)
        receiver.recv(10)
        receiver.recv(10)


def test_rules_and_verdicts_are_counted_in_both_forms(tmp_path, monkeypatch, way):
    with watched(tmp_path, monkeypatch, "--stateless", way) as there:
        send_two_of_each(there)
        status = Observer(State()).look()
    assert [(rule.stage, rule.sid, rule.packets) for rule in status.counted.rules] == [
        ("stateless", 10, 2), ("stateless", 11, 2), ("stateful", 100, 2), ("stateful", 101, 2), ("stateful", 102, 0),
    ]  # fmt: skip
    verdicts = {(each.stage, each.verdict, each.reason): each.packets for each in status.counted.verdicts}
    assert verdicts["stateless", "drop", "stateless_rule"] == 2
    assert verdicts["stateful", "drop", "rule_flow"] == 2
    assert verdicts["stateful", "pass", "flow_pass"] == 1
    assert verdicts["stateful", "drop", "default_drop_strict"] >= 2
    assert status.force.way == way
    assert status.interfaces[0].way.startswith(way)
    assert problems(status) == ()


def test_who_reads_the_log_is_seen(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"):
        observer = Observer(State())
        assert observer.look().receivers.logs == {}
        with LogGroup(1776):
            who = observer.look().receivers.logs
        assert list(who) == [1776]
        assert f"(process {os.getpid()})" in who[1776]


def nft(command):
    subprocess.run(["nft", command], check=True)


def kinds(observer):
    return [problem.kind for problem in problems(observer.look())]


def test_a_table_that_is_gone_is_a_problem(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as there:
        observer = Observer(State())
        with there.entered():
            assert kinds(observer) == ["gone"]
        assert kinds(observer) == []


def test_a_ruleset_that_somebody_changed_is_a_problem(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"):
        observer = Observer(State())
        nft("add chain inet twinwall mine")
        assert kinds(observer) == ["changed"]


def test_an_interface_without_its_program_is_a_problem(tmp_path, monkeypatch):
    ebpf_or_skip()
    with watched(tmp_path, monkeypatch, "--stateless", "xdp"):
        observer = Observer(State())
        with XdpStage.of("fw0") as stage:
            stage.detach("fw0")
        assert kinds(observer) == ["interface"]


def test_a_netdev_table_that_is_gone_is_a_problem(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"):
        observer = Observer(State())
        generation = observer.look().force.generation
        nft(f"delete table netdev twinwall_{generation & 1}")
        assert kinds(observer) == ["changed", "interface"]


def test_a_setting_that_somebody_changed_is_a_problem(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"):
        observer = Observer(State())
        Path("/proc/sys/net/netfilter/nf_conntrack_tcp_loose").write_text("0")
        assert kinds(observer) == ["setting"]


def test_a_queue_that_nobody_inspects_is_a_problem(tmp_path, monkeypatch):
    policy = POLICY.replace('(msg:"open"', '(inspect; msg:"open"')
    with watched(tmp_path, monkeypatch, "--stateless", "nft", policy=policy):
        assert kinds(Observer(State())) == ["inspector"]


def test_a_trial_is_a_remark_and_one_that_is_over_a_problem(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft", "--confirm-within", "60s"):
        state = State()
        observer = Observer(state)
        assert problems(observer.look()) == ()
        assert any("on trial until" in text for text in remarks(observer.look()))
        deadline = state.pending().deadline
        assert [each.kind for each in problems(Observer(state, clock=lambda: deadline).look())] == ["expired"]
        assert twinwall("confirm") == 0


def test_a_policy_of_another_state_folder_is_said_to_be_unknown(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"):
        status = Observer(State(tmp_path / "elsewhere")).look()
        assert (status.force, [each.kind for each in problems(status)]) == (None, ["unknown"])


def test_a_guard_and_an_inspector_that_run_are_seen_until_they_are_killed(tmp_path, monkeypatch):
    policy = POLICY.replace('(msg:"open"', '(inspect; msg:"open"')
    with watched(tmp_path, monkeypatch, "--stateless", "nft", policy=policy):
        observer = Observer(State())
        assert (observer.look().guard, observer.look().inspector) == (None, None)
        with program("guard") as guard, program("inspect") as inspector:
            until(lambda: observer.look().guard and observer.look().queues)
            seen = observer.look()
            assert (seen.guard.pid, seen.inspector.pid) == (guard.pid, inspector.pid)
            assert seen.receivers.queues.keys() == {1776}
            assert twinwall("guard") == twinwall("inspect") == 5, "there is one of each"
            for process in (guard, inspector):
                process.kill()
                process.wait()
        assert (observer.look().guard, observer.look().inspector) == (None, None)


@contextlib.contextmanager
def program(*arguments):
    """A command that runs until the end of the test."""
    process = subprocess.Popen([*PROGRAM, *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
