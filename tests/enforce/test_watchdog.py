"""The watchdog: bites at the deadline and not before, unless somebody confirmed, and whoever holds the lock."""

import dataclasses
import subprocess
import sys

import pytest

from tests.enforce.rig import SOMEBODY, FakeKernel, change, plan_of, source
from tests.enforce.test_lock import HOLD
from twinwall.enforce import change as changes
from twinwall.enforce import watchdog
from twinwall.enforce.state import State
from twinwall.enforce.watchdog import Watchdog
from twinwall.live.error import EnforcementError

FIRST, SECOND = plan_of(1, 443), plan_of(2, 80)


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits = []

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def trial(tmp_path):
    state, kernel = State(tmp_path / "state"), FakeKernel()
    state.keep_source(source(443))
    changes.carry_out(state, kernel, change(None, FIRST), lambda pending: None, str)
    pending = changes.carry_out(state, kernel, change(FIRST, SECOND, within=60), lambda pending: None, str)
    state.set_pending(dataclasses.replace(pending, deadline=1060.0))
    return state, kernel


@pytest.fixture
def clock():
    return Clock()


def made(state, clock):
    return Watchdog(state, state.pending().id, clock)


def test_it_waits_for_the_deadline_and_bites(trial, clock):
    state, kernel = trial
    dog = made(state, clock)
    assert dog.watch(clock.wait)
    assert clock.now == 1060.0
    assert "restored" in dog.bite(kernel, SOMEBODY)
    assert kernel.ruleset == FIRST.marker
    assert state.pending() is None


def test_a_confirmation_ends_it(trial, clock):
    state, kernel = trial
    dog, pending = made(state, clock), state.pending()

    def wait(seconds):
        clock.wait(seconds)
        if clock.now >= 1030:
            changes.confirm(state, pending)

    assert not dog.watch(wait)
    assert clock.now < 1035
    assert dog.bite(kernel, SOMEBODY) == "", "also if it comes in the last instant"
    assert kernel.ruleset == SECOND.marker


def test_a_change_that_was_taken_back_ends_it(trial, clock):
    state, _ = trial
    dog = made(state, clock)
    state.set_pending(None)
    assert not dog.watch(clock.wait)


def test_a_state_that_cannot_be_read_is_no_confirmation(trial, clock):
    state, kernel = trial
    dog = made(state, clock)
    (state.folder / "pending.json").write_text("{")
    assert dog.watch(clock.wait)
    assert "restored" in dog.bite(kernel, SOMEBODY)
    assert kernel.ruleset == FIRST.marker


def test_it_needs_no_file_when_it_bites(trial, clock):
    state, kernel = trial
    dog = made(state, clock)
    for path in state.folder.rglob("*.json"):
        path.unlink()
    dog.concerned = lambda: True
    assert "restored" in dog.bite(kernel, SOMEBODY)
    assert kernel.ruleset == FIRST.marker


def test_a_command_that_does_not_let_the_lock_go_is_killed(trial, clock):
    state, kernel = trial
    dog = made(state, clock)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, state.lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    assert "restored" in dog.bite(kernel, SOMEBODY, patience=0.1)
    assert holder.wait(10) == -9
    holder.stdin.close()
    holder.stdout.close()


def test_a_watchdog_without_a_trial_says_so(trial, clock):
    state, _ = trial
    with pytest.raises(EnforcementError, match="no change"):
        Watchdog(state, "another", clock)


def test_a_watchdog_that_ends_at_once_is_an_error(trial, monkeypatch):
    state, _ = trial
    monkeypatch.setattr(watchdog, "_own_unit", lambda pending: ["false"])
    with pytest.raises(EnforcementError, match="ended with status 1"):
        watchdog.arm(state, state.pending())
    assert not watchdog.alive(state)


def test_systemd_starts_it_where_systemd_is(trial, monkeypatch, tmp_path):
    state, _ = trial
    monkeypatch.setattr(watchdog, "SYSTEMD", tmp_path)
    monkeypatch.setattr(watchdog, "_same_namespace", lambda: True)
    monkeypatch.setattr(watchdog.shutil, "which", lambda name: f"/usr/bin/{name}")
    words = watchdog._own_unit(state.pending())
    assert words[0] == "/usr/bin/systemd-run"
    assert f"--unit=twinwall-watchdog-{state.pending().id}" in words
    monkeypatch.setattr(watchdog, "_same_namespace", lambda: False)
    assert watchdog._own_unit(state.pending()) == [], "a unit would start in another network namespace"
