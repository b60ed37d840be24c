"""A change that dies anywhere is finished or taken back by the next command, and the kernel never holds anything between."""

import dataclasses

import pytest

from tests.enforce.rig import SOMEBODY, Rig, change, numbered, plan_of, source
from twinwall.enforce import change as changes
from twinwall.enforce import recovery
from twinwall.enforce.journal import Outcome
from twinwall.live.error import EnforcementError

STEPS = range(1, 6)
FIRST, SECOND, THIRD = plan_of(1, 443), plan_of(2, 80), plan_of(3, 8080)


@pytest.fixture
def machine(tmp_path):
    return Rig(tmp_path / "state")


@pytest.fixture
def running(machine):
    machine.carry_out(change(None, FIRST))
    return machine


def expire(state):
    state.set_pending(dataclasses.replace(state.pending(), deadline=0.0))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("begin", ["nothing", "first"])
@pytest.mark.parametrize("end", ["second", "nothing"])
def test_killed_at_any_step_the_kernel_holds_old_or_new_and_the_next_command_tidies_up(machine, begin, end, step):
    old = FIRST if begin == "first" else None
    new = SECOND if end == "second" else None
    if old:
        machine.carry_out(change(None, old))
    if new is None and step == 1:
        pytest.skip("nothing to check for no policy")
    machine.die(change(old, new), step if new else step - 1)
    held = machine.kernel.ruleset
    assert held in {each.marker if each else None for each in (old, new)}
    assert machine.recover()
    assert machine.kernel.ruleset == held
    assert machine.kernel.tidy
    assert machine.state.pending() is None
    assert machine.recover() == ""
    force = machine.state.current()
    assert (force.generation if force else None) == (held.generation if held else None)
    booted = machine.state.confirmed()
    assert (booted.policy.digest if booted and booted.policy else None) == (held.digest if held else None)


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_trial_before_its_end_the_trial_goes_on_or_never_was(running, step):
    running.die(change(FIRST, SECOND, within=60), step)
    held = running.kernel.ruleset
    running.dogs.living = False
    assert running.recover()
    assert running.kernel.ruleset == held
    assert running.kernel.tidy
    assert running.state.confirmed().policy == FIRST.force.chosen
    assert (running.state.pending() is not None) == (held == SECOND.marker)
    assert running.dogs.living == (held == SECOND.marker), "a trial without a watchdog gets one"


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_trial_that_is_watched_the_next_command_finishes_the_change(running, step):
    running.die(change(FIRST, SECOND, within=60), step)
    held = running.kernel.ruleset
    assert running.recover()
    assert running.kernel.ruleset == held
    assert running.kernel.tidy
    assert (("apply", Outcome.ON_TRIAL) in running.outcomes) == (held == SECOND.marker)
    assert len(running.dogs.armed) == 1, "it has its watchdog"
    assert running.recover() == ""


def test_a_trial_that_is_being_taken_back_is_taken_back_by_the_next_command(running):
    pending = running.carry_out(change(FIRST, SECOND, within=60))
    running.state.set_pending(pending.taken_back())
    assert running.dogs.living
    assert "because it was taken back" in running.recover()
    assert running.kernel.ruleset == FIRST.marker
    assert running.state.pending() is None


def test_a_restoration_that_was_cut_short_before_its_records_is_written_down_as_one(running):
    running.carry_out(change(FIRST, SECOND, within=60))
    expire(running.state)
    running.kernel.switch(FIRST)
    assert running.recover()
    assert running.outcomes[-1] == ("restore", Outcome.DONE)
    assert running.state.current().generation == 1


@pytest.mark.parametrize("within", [None, 60])
def test_a_confirmation_that_was_cut_short_is_in_the_journal(running, within):
    pending = running.carry_out(change(FIRST, SECOND, within=60))
    pending = dataclasses.replace(pending, deadline=pending.deadline if within else None)
    running.state.set_pending(pending)
    changes.confirm(running.state, pending)
    assert running.recover()
    assert running.outcomes[-1] == ("confirm" if within else "apply", Outcome.DONE)


@pytest.mark.parametrize("step", STEPS)
def test_a_trial_whose_time_is_over_is_taken_back(running, step):
    running.die(change(FIRST, SECOND, within=60), step)
    expire(running.state)
    assert running.recover()
    assert running.kernel.ruleset == FIRST.marker
    assert running.kernel.tidy
    assert running.state.pending() is None
    assert running.state.current().generation == 1


def test_a_trial_with_a_watchdog_is_left_alone(running):
    running.carry_out(change(FIRST, SECOND, within=60))
    assert running.dogs.armed == [running.state.pending().id]
    assert running.recover() == ""
    assert running.kernel.ruleset == SECOND.marker
    assert running.outcomes[-1] == ("apply", Outcome.ON_TRIAL)


def test_a_confirmation_that_was_cut_short_counts(running):
    pending = running.carry_out(change(FIRST, SECOND, within=60))
    changes.confirm(running.state, pending)
    expire(running.state)
    assert "confirmation" in running.recover()
    assert running.kernel.ruleset == SECOND.marker
    assert running.state.pending() is None


def test_a_restart_of_the_machine_ends_a_trial(running):
    running.carry_out(change(FIRST, SECOND, within=60))
    running.state.set_pending(dataclasses.replace(running.state.pending(), boot="another"))
    running.kernel.ruleset = None
    assert "forgotten" in running.recover()
    assert running.kernel.ruleset is None
    assert running.state.current() is None
    assert running.state.confirmed().policy == FIRST.force.chosen


def test_a_ruleset_that_vanished_in_a_trial_is_the_old_one_again(running):
    running.carry_out(change(FIRST, SECOND, within=60))
    running.kernel.ruleset = None
    assert "somebody else removed" in running.recover()
    assert running.kernel.ruleset == FIRST.marker
    assert running.kernel.tidy


def test_a_state_folder_that_cannot_be_written_does_not_keep_the_old_policy_from_coming_back(running, monkeypatch):
    pending = running.carry_out(change(FIRST, SECOND, within=60))

    def full(*_):
        raise EnforcementError("write", "No space left on device", "free some space")

    for name in ("set_current", "set_pending"):
        monkeypatch.setattr(running.state, name, full)
    monkeypatch.setattr(running.state.journal, "write", full)
    said = recovery.restore(running.state, running.kernel, pending, SOMEBODY, "nobody confirmed it in time")
    assert running.kernel.ruleset == FIRST.marker
    assert "No space left" in said


def test_a_trial_in_another_network_namespace_is_left_to_its_watchdog(running):
    running.carry_out(change(FIRST, SECOND, within=60))
    trial = dataclasses.replace(running.state.pending(), namespace="net:[1]")
    running.state.set_pending(trial)
    running.kernel.ruleset = None  # this namespace has nothing
    with pytest.raises(EnforcementError, match="another network namespace"):
        running.recover()
    assert running.state.pending() == trial
    assert running.kernel.ruleset is None


def test_a_trial_in_a_namespace_that_is_gone_is_taken_back(running):
    running.carry_out(change(FIRST, SECOND, within=60))
    running.state.set_pending(dataclasses.replace(running.state.pending(), namespace="net:[1]"))
    running.kernel.ruleset = None
    running.dogs.living = False
    assert running.recover().startswith("restored")
    assert running.kernel.ruleset == FIRST.marker


@pytest.mark.parametrize("within", [None, 60])
def test_a_number_that_was_given_to_a_flow_bit_stays_given_whatever_becomes_of_the_policy(machine, within):
    old, new = numbered(1, "web"), numbered(2, "web", "late")
    for each in (old, new):
        each.__dict__["ruleset"] = FIRST.ruleset
    machine.carry_out(change(None, old))
    machine.kernel.flow_bits = {"web"}
    if within is None:
        machine.kernel.refuse = {"settled"}
        with pytest.raises(EnforcementError):
            machine.carry_out(change(old, new))
    else:
        machine.state.keep_source(source(80))
        machine.carry_out(change(old, new, within))
        expire(machine.state)
        assert machine.recover().startswith("restored")
    assert machine.state.current().labels == ("web", "late")
    assert machine.kernel.flow_bits == {"web"}
