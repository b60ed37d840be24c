"""The guard: looks after what is in force as long as the machine runs.

It looks when an interface or the ruleset changes, and every few seconds besides, because a notice may be lost and a program can
be detached without one.  What it finds it says, writes into the journal, and puts right (unless told only to report):

| finding | put right by |
|---|---|
| an interface without its program (it appeared, came back, or somebody detached it) | attaching it |
| any of our tables is gone, or not as it was loaded | loading all of them again, in the next generation |
| an interface became a port of a bridge, a bond or a VRF, or ceased to be one in bridge mode | undoing it |
| a kernel setting of the policy was changed | setting it |
| a trial whose time is over, and no watchdog | restoring the policy before it |

While an interface lacks its program, nothing passes it: the ruleset drops what nobody has judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from twinwall.enforce import change
from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.change import Change
from twinwall.enforce.design import design
from twinwall.enforce.desk import Desk
from twinwall.enforce.disk import DiskError
from twinwall.enforce.journal import Entry, Outcome, now
from twinwall.enforce.masters import Moved
from twinwall.enforce.recovery import describe
from twinwall.enforce.state import InForce
from twinwall.enforce.unrecorded import load_unrecorded
from twinwall.live.error import EnforcementError
from twinwall.policy.diagnostic import PolicyError


class Kind(StrEnum):
    """What is not as it should be."""

    PROGRAM = "program"
    RULESET = "ruleset"
    SETTING = "setting"
    MASTER = "master"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.  `moved`: the interface, where it is at the wrong place."""

    kind: Kind
    text: str
    moved: Moved | None = None


class Guard:
    """Looks, reports, restores.  `say` is for people; `restore` False only reports."""

    def __init__(self, desk: Desk, say: Callable[[str], None], *, restore: bool = True) -> None:
        self.desk = desk
        self._say = say
        self._restore = restore
        self._reported: frozenset[str] = frozenset()
        self._failed = self._hindered = ""
        self._seen: object = None
        self._blueprint: Blueprint | None = None

    def look(self) -> tuple[Finding, ...]:
        """Look once; what was found, after it was reported and, if asked for, put right.  Raises `EnforcementError`."""
        with self.desk.locked("guard"):
            force = self._standing()
            findings = tuple(self._findings(force)) if force is not None else ()
            self._report(findings)
            if findings and force is not None and self._restore:
                self._put_right(force, findings)
            elif force is not None and self._restore:
                self._renumber(force)
        return findings

    def _standing(self) -> InForce | None:
        """What is to be looked after: what is in force, also on trial.  Its record is of no use while it is being changed."""
        force, pending = self.desk.state.current(), self.desk.state.pending()
        if pending is not None and (force is None or pending.new is None or pending.new.generation != force.generation):
            return None
        return self._learned(force) if force is not None else None

    def look_on(self) -> None:
        """Look once, as one who goes on: what keeps it from looking is said once, and it is tried again."""
        try:
            self.look()
        except (EnforcementError, PolicyError) as error:
            if str(error) != self._hindered:
                self._say(f"cannot look: {error}")
            self._hindered = str(error)
        else:
            self._hindered = ""

    def _learned(self, force: InForce) -> InForce:
        """Remember which bridge a port belongs to that was in none when the policy was put in force: at boot, for example."""
        homes = {**force.homes, **self.desk.kernel.homes(self._made(force))}
        if homes == force.homes:
            return force
        learned = replace(force, homes=homes)
        with suppress(DiskError):  # it is learned again with the next look
            self.desk.state.set_current(learned)
        return learned

    def _findings(self, force: InForce) -> Iterator[Finding]:
        blueprint = self._made(force)
        if self.desk.kernel.marker() != blueprint.marker:
            yield Finding(Kind.RULESET, f"the ruleset of {describe(force)} is gone")
            return
        if self._ruleset_changed(force):
            yield Finding(Kind.RULESET, f"somebody has changed the ruleset of {describe(force)}")
        for each in self.desk.kernel.moved(blueprint):
            yield Finding(Kind.MASTER, each.text, each)
        for name in self.desk.kernel.unguarded(blueprint):
            yield Finding(Kind.PROGRAM, f"the stateless stage does not run on {name}: what comes in there is dropped")
        for setting in blueprint.settings:
            value = self.desk.machine.setting(setting.name)
            if setting.required and value is not None and value != setting.value:
                yield Finding(Kind.SETTING, f"{setting.name} is {value} and not {setting.value}")

    def _made(self, force: InForce) -> Blueprint:
        """The blueprint of what is in force, made once."""
        if self._blueprint is None or self._blueprint.force != force:
            self._blueprint = self.desk.blueprint(force)
        assert self._blueprint is not None
        return self._blueprint

    def _ruleset_changed(self, force: InForce) -> bool:
        """Whether it lists otherwise than when it was loaded; asked only if anybody has changed any ruleset since."""
        seen = (force, self.desk.kernel.ruleset_version())
        if seen == self._seen:
            return False
        changed = self.desk.damaged(force)
        self._seen = None if changed else seen
        return changed

    def _report(self, findings: tuple[Finding, ...]) -> None:
        """Say what is new."""
        for finding in findings:
            if finding.text not in self._reported:
                self._say(finding.text)
                self._note(Outcome.FAILED, finding.text)
        self._reported = frozenset(finding.text for finding in findings)

    def _put_right(self, force: InForce, findings: tuple[Finding, ...]) -> None:
        try:
            self._restore_all(force, findings)
        except EnforcementError as error:
            if str(error) != self._failed:  # it is tried again every few seconds
                self._say(f"cannot put it right: {error}")
                self._note(Outcome.FAILED, f"{error.action}: {error.cause}")
            self._failed = str(error)
            return
        self._say(f"put right: {describe(force)} is in force as it was loaded")
        self._reported, self._failed = frozenset(), ""

    def _restore_all(self, force: InForce, findings: tuple[Finding, ...]) -> None:
        """Everything that can be put right is, whatever cannot; then the first refusal is raised."""
        refused: list[EnforcementError] = []
        for finding in findings:
            if finding.moved is not None:
                with _kept(refused):
                    self.desk.kernel.bring_back(finding.moved)
        kinds = {finding.kind for finding in findings}
        with _kept(refused):
            if Kind.RULESET in kinds or (Kind.PROGRAM in kinds and force.way == "nft"):
                self._load_again(force)
            elif kinds != {Kind.MASTER}:
                self._settle(force)
        if refused:
            raise refused[0]

    def _renumber(self, force: InForce) -> None:
        """Interfaces that came, or came back, get the fast path; it is no damage that they had none."""
        if self.desk.kernel.renumber(self._made(force)) and self.desk.state.pending() is None:
            self._record(force)

    def _settle(self, force: InForce) -> None:
        self.desk.kernel.settle(self._made(force))
        self._record(force)

    def _record(self, force: InForce) -> None:
        seen = change.observed(self.desk.kernel, self._made(force))
        try:
            self.desk.state.set_current(replace(seen, since=force.since) if seen is not None else None)
        except DiskError as error:
            self._say(f"warning: it is put right, and this could not be written: {error}")

    def _load_again(self, force: InForce) -> None:
        """The same policy in the next generation: what it was before cannot be trusted, connections are judged anew.

        Where that cannot be recorded, in its own: the record of a trial is the trial's.
        """
        if self.desk.state.pending() is not None:
            load_unrecorded(self.desk.kernel, self._made(force))
            return
        try:
            self._load_next(force)
        except DiskError as error:
            self._say(f"warning: loading it as it was, because nothing can be written down: {error}")
            load_unrecorded(self.desk.kernel, self._made(force))

    def _load_next(self, force: InForce) -> None:
        old = self._made(force) if self.desk.kernel.marker() == self._made(force).marker else None
        source = self.desk.state.source(force.chosen.digest)
        new = design(source, source.policy(), force, self.desk.ways, preference=force.chosen.stateless)
        wanted = Change("guard", old, new, self.desk.author)
        change.carry_out(self.desk.state, self.desk.kernel, wanted, self.desk.attendant.arm, self._say)

    def _note(self, outcome: Outcome, detail: str) -> None:
        """Into the journal; a full disk is said, and does not stop the guard."""
        try:
            self.desk.state.journal.write(Entry(now(), "guard", outcome, self.desk.author, detail=detail))
        except EnforcementError as error:
            self._say(str(error))


@contextmanager
def _kept(refused: list[EnforcementError]) -> Iterator[None]:
    """Go on after a refusal, and keep it."""
    try:
        yield
    except EnforcementError as error:
        refused.append(error)
