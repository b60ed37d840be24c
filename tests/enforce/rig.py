"""A state folder, policies, and a kernel of memory that can be made to die or to refuse at any step."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.change import Change, carry_out
from twinwall.enforce.journal import Author
from twinwall.enforce.recovery import Attendant, recover
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.state import Chosen, InForce, State
from twinwall.live.error import EnforcementError

POLICY = """twinwall: 1
stateful:
  order: strict
  rules: |
    pass tcp any any -> any {port} (sid:1;)
attach: {{mode: gateway, inside: [in0], outside: [out0]}}
"""
SOMEBODY = Author(0, "root", "ann", "192.0.2.9")


class Killed(BaseException):
    """SIGKILL: nothing after it runs, no handler of errors catches it."""


class FakeKernel:
    """Holds a ruleset's marker and who judges packets beside it.  `die_at` counts steps from 1; `refuse` names steps."""

    def __init__(self) -> None:
        self.ruleset = None
        self.judges = set()  # markers of the programs
        self.settings = None
        self.steps = 0
        self.die_at = 0
        self.refuse = set()
        self.flow_bits = set()

    def _step(self, name):
        self.steps += 1
        if self.steps == self.die_at:
            raise Killed
        if name in self.refuse:
            raise EnforcementError(name, "the kernel does not want to", "ask it kindly")

    def hold(self, descriptor):
        assert descriptor >= 0

    def marker(self):
        return self.ruleset

    def forget(self, generation):
        assert 1 <= generation <= 7

    def forget_flow_bits(self):
        self.flow_bits.clear()

    def check(self, new):
        self._step("check")

    def prepare(self, new):
        self._step("prepare")
        if new is not None:
            self.judges.add(new.marker)

    def switch(self, new):
        self._step("switch")
        self.ruleset = new.marker if new is not None else None

    def settle(self, target):
        self._step("settle")
        self.judges = {target.marker} if target is not None else set()
        self._step("settled")
        self.settings = target.marker if target is not None else None

    def renumber(self, target):
        return False

    def modes(self, target):
        return dict.fromkeys(target.attach.interfaces, "native")

    def homes(self, target):
        return {}

    def moved(self, target):
        return ()

    def ruleset_version(self):
        return self.steps

    def unguarded(self, target):
        return () if target.marker in self.judges else target.attach.interfaces

    def fingerprint(self):
        return str(self.ruleset)

    @property
    def tidy(self):
        """Whether everything is as one policy has it."""
        return self.judges == ({self.ruleset} if self.ruleset else set()) and self.settings == self.ruleset


def source(port: int = 443) -> Source:
    return Source(Kind.POLICY, (("policy.yaml", POLICY.format(port=port)),))


def plan_of(generation: int, port: int = 443) -> Blueprint:
    """A blueprint whose ruleset needs no renderer."""
    text = source(port)
    made = Blueprint(InForce(Chosen(text.digest, "policy.yaml"), generation), text)
    made.__dict__["ruleset"] = SimpleNamespace(text=f"ruleset of {text.digest} {generation}")
    return made


def change(old, new, within=None, action="apply") -> Change:
    return Change(action, old, new, SOMEBODY, within)


class FakeWatchdogs:
    """Whether a watchdog lives, and how many were started."""

    def __init__(self) -> None:
        self.armed = []
        self.living = False

    def arm(self, pending):
        self.armed.append(pending.id)
        self.living = True

    @property
    def attendant(self) -> Attendant:
        return Attendant(lambda: self.living, self.arm)


class Rig:
    """State, kernel and watchdogs together."""

    def __init__(self, folder) -> None:
        self.state = State(folder)
        self.state.keep_source(source(443))
        self.kernel = FakeKernel()
        self.dogs = FakeWatchdogs()
        self.said = []

    def carry_out(self, wanted):
        return carry_out(self.state, self.kernel, wanted, self.dogs.arm, self.said.append)

    def recover(self):
        return recover(self.state, self.kernel, self.dogs.attendant, SOMEBODY)

    def die(self, wanted, step):
        self.kernel.die_at = self.kernel.steps + step
        with pytest.raises(Killed):
            self.carry_out(wanted)
        self.kernel.die_at = 0

    @property
    def outcomes(self):
        return [(entry.action, entry.outcome) for entry in self.state.journal.entries()]


def numbered(generation, *labels):
    """A policy whose flow bits have these numbers."""
    made = plan_of(generation, 443 if generation == 1 else 80)
    return replace(made, force=replace(made.force, labels=labels))
