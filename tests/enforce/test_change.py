"""One change: in which order it is made and written down, and that a refusal leaves what was there."""

from __future__ import annotations

import pytest

from tests.enforce.rig import SOMEBODY, Rig, change, numbered, plan_of
from twinwall.enforce.change import carry_out, is_current, observed
from twinwall.enforce.journal import Outcome
from twinwall.enforce.state import boot_id, namespace, uptime
from twinwall.live.error import EnforcementError

FIRST, SECOND = plan_of(1, 443), plan_of(2, 80)


@pytest.fixture
def machine(tmp_path):
    return Rig(tmp_path / "state")


@pytest.fixture
def running(machine):
    machine.carry_out(change(None, FIRST))
    return machine


def full(*_):
    raise EnforcementError("write", "No space left on device", "free some space")


def test_a_change_is_in_force_confirmed_and_written_down(running):
    assert running.kernel.ruleset == FIRST.marker
    assert running.kernel.tidy
    assert running.state.pending() is None
    assert running.state.confirmed().policy == FIRST.force.chosen
    assert running.state.current().modes == {"in0": "native", "out0": "native"}
    assert running.outcomes == [("apply", Outcome.DONE)]
    assert running.dogs.armed == []
    assert running.recover() == ""


def test_previous_is_what_was_confirmed_before(running):
    running.carry_out(change(FIRST, SECOND))
    assert running.state.confirmed().previous == FIRST.force.chosen
    running.carry_out(change(SECOND, plan_of(3, 80)))
    assert running.state.confirmed().previous == FIRST.force.chosen, "the same policy again is no step back"


def test_the_watchdog_watches_before_the_kernel_is_touched(running):
    def arm(pending):
        assert running.kernel.ruleset == FIRST.marker
        assert running.kernel.judges == {FIRST.marker}
        assert running.state.pending() == pending
        raise EnforcementError("start the watchdog", "no memory", "buy some")

    with pytest.raises(EnforcementError, match="no memory"):
        carry_out(running.state, running.kernel, change(FIRST, SECOND, within=60), arm, str)
    assert running.kernel.ruleset == FIRST.marker
    assert running.state.pending() is None
    assert running.outcomes[-1] == ("apply", Outcome.REFUSED)


@pytest.mark.parametrize("step", ["check", "prepare", "switch"])
def test_a_refusal_leaves_the_old_policy_and_is_written_down(running, step):
    running.kernel.refuse = {step}
    with pytest.raises(EnforcementError, match="does not want"):
        running.carry_out(change(FIRST, SECOND))
    assert running.kernel.ruleset == FIRST.marker
    assert running.kernel.tidy
    assert running.state.pending() is None
    assert running.state.confirmed().policy == FIRST.force.chosen
    assert running.outcomes[-1] == ("apply", Outcome.REFUSED)


def test_a_state_folder_that_cannot_be_written_refuses_a_change_before_it_begins(running, monkeypatch):
    monkeypatch.setattr(running.state, "set_pending", full)
    steps = running.kernel.steps
    with pytest.raises(EnforcementError, match="No space"):
        running.carry_out(change(FIRST, SECOND))
    assert running.kernel.steps == steps


def test_a_policy_that_cannot_be_rendered_is_refused_before_anything_is_written(running):
    class Unrenderable(type(SECOND)):
        @property
        def ruleset(self):
            raise EnforcementError("render", "no", "no")

    with pytest.raises(EnforcementError):
        running.carry_out(change(FIRST, Unrenderable(SECOND.force, SECOND.source)))
    assert running.state.pending() is None
    assert not running.state.policy_folder(SECOND.force.chosen.digest).exists()


def test_where_numbers_begin_anew_no_connection_has_a_flow_bit(machine):
    machine.kernel.flow_bits = {"web"}
    old = numbered(1, "late")
    old.__dict__["ruleset"] = FIRST.ruleset
    machine.carry_out(change(None, old))
    assert machine.kernel.flow_bits == set()


def test_what_is_on_trial_is_in_force_and_is_not_what_boots(running):
    pending = running.carry_out(change(FIRST, SECOND, within=60))
    assert running.kernel.ruleset == SECOND.marker
    assert running.state.pending() == pending
    assert running.state.confirmed().policy == FIRST.force.chosen
    assert is_current(running.state, SECOND)
    assert running.dogs.armed == [pending.id]
    assert uptime() < pending.deadline <= uptime() + 60
    assert (pending.boot, pending.namespace) == (boot_id(), namespace())
    (entry,) = [each for each in running.state.journal.entries() if each.outcome is Outcome.ON_TRIAL]
    assert entry.detail == f"until {pending.until}"


def test_no_policy_is_confirmed_like_one_and_the_last_is_what_to_go_back_to(running):
    running.carry_out(change(FIRST, None, action="stop"))
    assert running.kernel.ruleset is None
    assert running.state.current() is None
    assert (running.state.confirmed().policy, running.state.confirmed().previous) == (None, FIRST.force.chosen)
    assert running.outcomes[-1] == ("stop", Outcome.DONE)


def test_the_journal_says_who_changed_what_from_what(running):
    running.carry_out(change(FIRST, SECOND))
    entry = list(running.state.journal.entries())[-1]
    assert entry.author == SOMEBODY
    assert (entry.before, entry.policy) == (FIRST.force.chosen.digest, SECOND.force.chosen.digest)


def test_the_journal_says_what_was_refused_and_why(running):
    running.kernel.refuse = {"switch"}
    with pytest.raises(EnforcementError):
        running.carry_out(change(FIRST, SECOND))
    assert list(running.state.journal.entries())[-1].detail == "switch: the kernel does not want to"


def test_a_confirmation_that_cannot_be_written_takes_the_change_back(running, monkeypatch):
    monkeypatch.setattr(running.state, "set_confirmed", full)
    with pytest.raises(EnforcementError, match="No space"):
        running.carry_out(change(FIRST, SECOND))
    assert running.kernel.ruleset == FIRST.marker
    assert running.kernel.tidy
    assert running.outcomes[-1] == ("apply", Outcome.REFUSED)


def test_a_journal_that_cannot_be_written_undoes_nothing_and_is_said(running, monkeypatch):
    monkeypatch.setattr(running.state.journal, "write", full)
    running.carry_out(change(FIRST, SECOND))
    assert running.kernel.ruleset == SECOND.marker
    assert running.state.pending() is None
    (said,) = running.said
    assert said.startswith("warning: the change is made, and this could not be written: write: No space left")
    assert "hint: free some space" in said


def test_what_only_the_kernel_knows_is_observed_and_a_bridge_of_an_absent_interface_remembered(running):
    known = numbered(2, "web")
    known.force.homes["out0"] = "br1"
    running.kernel.homes = lambda target: {"in0": "br0"}
    seen = observed(running.kernel, known)
    assert seen.homes == {"in0": "br0", "out0": "br1"}
    assert seen.modes == {"in0": "native", "out0": "native"}
    assert (seen.version, seen.fingerprint) == (running.kernel.ruleset_version(), running.kernel.fingerprint())
    assert seen.labels == ("web",)
    assert observed(running.kernel, None) is None
