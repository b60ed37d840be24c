"""The state folder's disk fails at any step of a change, of its confirmation or of its being taken back.

Full: nothing can be written, and files can be removed.  Read-only: neither.  From the failing step on it stays so, until
somebody repairs it.
"""

from __future__ import annotations

import dataclasses
import errno
import os

import pytest

from tests.enforce.rig import SOMEBODY, Rig, change, plan_of, source
from twinwall.enforce import journal, state
from twinwall.enforce.desk import Desk
from twinwall.enforce.disk import refusal
from twinwall.enforce.journal import Outcome
from twinwall.live.error import EnforcementError

OLD, NEW = plan_of(1, 443), plan_of(2, 80)
STEPS = range(1, 12)  # more than any command takes
FAULTS = {"full": errno.ENOSPC, "read-only": errno.EROFS}
REMEDIES = {"full": "free some space", "read-only": "make the file system writable"}


class Disk:
    """Fails at a step and from then on; `repaired` ends that."""

    def __init__(self, monkeypatch, fault):
        self.fault, self.left, self.failed = fault, None, False
        for module, name in ((state, "write_whole"), (state, "remove"), (journal, "append_line")):
            monkeypatch.setattr(module, name, self._step(getattr(module, name), removes=name == "remove"))

    def _step(self, real, *, removes):
        def step(path, *rest):
            if removes and not path.exists():
                return real(path, *rest)
            if self.left is not None and not (removes and self.fault == "full"):
                self.left -= 1
                if self.left <= 0:
                    self.failed = True
                    number = FAULTS[self.fault]
                    raise refusal(f"{'remove' if removes else 'write'} {path}", OSError(number, os.strerror(number)))
            return real(path, *rest)

        return step

    def fail_at(self, step):
        self.left, self.failed = step, False

    def repair(self):
        self.left = None


@pytest.fixture(params=FAULTS)
def fault(request):
    return request.param


@pytest.fixture
def disk(monkeypatch, fault):
    return Disk(monkeypatch, fault)


@pytest.fixture
def machine(tmp_path, disk):
    made = Rig(tmp_path / "state")
    made.carry_out = lambda wanted: desk_of(made).carry_out(wanted)
    for port in (443, 80):
        made.state.keep_source(source(port))
    made.carry_out(change(None, OLD))
    return made


def standing(machine):
    """What is in force, as the state folder knows it."""
    made = dataclasses.replace(OLD, force=machine.state.current())
    made.__dict__["ruleset"] = OLD.ruleset
    return made


def desk_of(machine):
    return Desk(
        machine.state, machine.kernel, None, None, machine.dogs.attendant, SOMEBODY, machine.said.append, lambda holder: None
    )


def checked(error, disk, machine):
    """Every refusal says where, why and what to do."""
    assert str(machine.state.folder) in error.action
    assert error.cause == os.strerror(FAULTS[disk.fault])
    assert REMEDIES[disk.fault] in error.remedy


def told(machine, disk):
    """What could not be written without harm was said."""
    assert any(REMEDIES[disk.fault] in line for line in machine.said), machine.said


def in_force(machine, plan):
    """The kernel holds a policy, and after a repair everybody agrees on it."""
    marker = plan.marker if plan else None
    assert machine.kernel.ruleset == marker
    assert machine.kernel.tidy
    machine.recover()
    assert machine.recover() == ""
    assert (machine.kernel.ruleset, machine.kernel.tidy) == (marker, True)
    current = machine.state.current()
    assert (current.generation if current else None) == (plan.force.generation if plan else None)
    assert machine.state.pending() is None
    return True


def confirmed(machine):
    return machine.state.confirmed().policy


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("new", [NEW, None], ids=["apply", "stop"])
def test_a_change_is_made_or_refused_and_never_half(machine, disk, step, new):
    disk.fail_at(step)
    try:
        machine.carry_out(change(standing(machine), new))
    except EnforcementError as error:
        checked(error, disk, machine)
        assert machine.kernel.ruleset == OLD.marker
        disk.repair()
        assert in_force(machine, OLD)
        assert confirmed(machine) == OLD.force.chosen
    else:
        if disk.failed:
            told(machine, disk)
        disk.repair()
        assert in_force(machine, new)
        assert confirmed(machine) == (new.force.chosen if new else None)


@pytest.mark.parametrize("step", STEPS)
def test_a_trial_begins_or_is_refused(machine, disk, step):
    disk.fail_at(step)
    try:
        machine.carry_out(change(standing(machine), NEW, within=60))
    except EnforcementError as error:
        checked(error, disk, machine)
        disk.repair()
        assert in_force(machine, OLD)
    else:
        if disk.failed:
            told(machine, disk)
        assert machine.kernel.ruleset == NEW.marker
        disk.repair()
        assert machine.state.pending().new.generation == NEW.force.generation
        assert machine.state.current().generation == NEW.force.generation
    assert confirmed(machine) == OLD.force.chosen


@pytest.mark.parametrize("step", STEPS)
def test_a_confirmation_is_written_or_the_policy_stays_on_trial(machine, disk, step):
    machine.carry_out(change(standing(machine), NEW, within=60))
    disk.fail_at(step)
    try:
        desk_of(machine).confirm()
    except EnforcementError as error:
        checked(error, disk, machine)
        assert confirmed(machine) == OLD.force.chosen
        assert machine.state.pending() is not None
        assert machine.kernel.ruleset == NEW.marker
    else:
        if disk.failed:
            told(machine, disk)
        disk.repair()
        assert confirmed(machine) == NEW.force.chosen
        assert in_force(machine, NEW)


@pytest.mark.parametrize("step", STEPS)
def test_a_trial_is_taken_back_whatever_can_be_written(machine, disk, step):
    machine.carry_out(change(standing(machine), NEW, within=60))
    disk.fail_at(step)
    done = desk_of(machine).take_back()
    assert done.startswith("restored: policy.yaml")
    assert (REMEDIES[disk.fault] in done) == disk.failed
    disk.repair()
    assert in_force(machine, OLD)
    assert confirmed(machine) == OLD.force.chosen
    outcomes = [(entry.action, entry.outcome) for entry in machine.state.journal.entries()]
    assert ("restore", Outcome.DONE) in outcomes


def test_a_killed_trial_that_is_confirmed_is_what_the_guard_looks_after(machine):
    """Between the switch and the note of what is in force."""
    machine.carry_out(change(standing(machine), NEW, within=60))
    machine.state.set_current(OLD.force)
    machine.dogs.living = True
    desk_of(machine).confirm()
    assert machine.state.current().generation == NEW.force.generation
