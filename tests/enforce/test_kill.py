"""SIGKILL at system call boundaries of a change: the kernel enforces the old policy or the new one, never a mixture.

The command and every `nft` that it starts are killed before and after each system call from where the command begins to act to
its end; traffic crosses the gateway meanwhile, and while the next command puts right what was left.  A sample of two cases is
tried; `TWINWALL_KILL_EVERY=1` in the environment tries, of all cases, every boundary of a call that may change what is outside
its process (`calls` says which may not, and why the others stand for them), `2` every second one.  `TWINWALL_KILL_HARMLESS=1`
counts the harmless ones too: that is how it is checked that they are.
"""

from __future__ import annotations

import logging
import os
from typing import NamedTuple

import pytest

from tests.enforce import tracer
from tests.enforce.world import World, in_world
from twinwall.enforce import recovery
from twinwall.enforce.desk import Desk

pytestmark = pytest.mark.kernel
LOG = logging.getLogger(__name__)
EVERY = int(os.environ.get("TWINWALL_KILL_EVERY", "0"))
HARMLESS = os.environ.get("TWINWALL_KILL_HARMLESS") == "1"
SAMPLES = 3
PLAN_CHANGES = 6  # how `plan` ends where something would change
MOST = 0.6  # of the boundaries are reached again: names of dead programs, for example, are let go by whoever comes first
XDP, NFT, TRIAL = (("--stateless", "xdp"), ("--stateless", "nft"), ("--confirm-within", "1h"))


class Killed(NamedTuple):
    """A command that is killed at a boundary, counted from where it calls `acts`."""

    command: tuple[str, ...]
    at: tracer.Boundary
    acts: str = "carry_out"


class Case(NamedTuple):
    """A command that is killed, from where it calls `acts`; what leads up to it, and what may be in force then."""

    before: tuple[tuple[str, ...] | Killed, ...]
    command: tuple[str, ...]
    outcomes: tuple[str, ...]  # the first is what `before` brings about
    acts: str = "carry_out"
    finished: bool = False  # the next command goes on to the last of the outcomes


A, A_NFT, B, B_NFT = (("apply", name, *way) for name in "ab" for way in (XDP, NFT))
STAGED, SWITCHED = (tracer.Boundary(tracer.OURSELVES, "vfork", count, "before") for count in (2, 3))  # the nth `nft`
STAGED_NFT, SWITCHED_NFT = (tracer.Boundary(tracer.OURSELVES, "vfork", count, "before") for count in (5, 6))
CASES = {
    "xdp": Case((A,), B, ("a", "b")),
    "nft": Case((A_NFT,), B_NFT, ("a", "b")),
    "xdp to nft": Case((A,), B_NFT, ("a", "b")),
    "nft to xdp": Case((A_NFT,), B, ("a", "b")),
    "the first": Case((("stop",),), A, ("nothing", "a")),
    "the first, nft": Case((("stop",),), A_NFT, ("nothing", "a")),
    "stop": Case((A,), ("stop",), ("a", "nothing"), "stop"),
    "stop, nft": Case((A_NFT,), ("stop",), ("a", "nothing"), "stop"),
    "rollback": Case((A, B), ("rollback",), ("b", "a")),
    "rollback, nft": Case((A_NFT, B_NFT), ("rollback",), ("b", "a")),
    "confirm": Case((A, (*B, *TRIAL)), ("confirm",), ("b",), "confirm"),
    "taken back": Case((A, (*B, *TRIAL)), ("rollback",), ("b", "a"), "take_back", finished=True),
    "taken back, nft": Case((A_NFT, (*B_NFT, *TRIAL)), ("rollback",), ("b", "a"), "take_back", finished=True),
    "trial": Case((("rollback",), A), (*B, *TRIAL), ("a", "b")),
    "recovery before the switch": Case((A, Killed(B, STAGED)), ("plan", "a"), ("a",), "recover"),
    "recovery after the switch": Case((A, Killed(B, SWITCHED)), ("plan", "a"), ("b",), "recover"),
    "recovery before the switch, nft": Case((A_NFT, Killed(B_NFT, STAGED_NFT)), ("plan", "a"), ("a",), "recover"),
    "recovery after the switch, nft": Case((A_NFT, Killed(B_NFT, SWITCHED_NFT)), ("plan", "a"), ("b",), "recover"),
}
ALWAYS = ("xdp", "nft")  # of these a sample is tried in every run of the tests
CHOSEN = CASES if EVERY else ALWAYS


world = pytest.fixture(in_world)


class Killing:
    """A case in a world."""

    def __init__(self, world: World, case: Case) -> None:
        self.world, self.case = world, case
        self.stood = None

    def arguments(self, command: tuple[str, ...]) -> list[str]:
        words = [self.world.policies.get(each, each) for each in command]
        return words if command[0] in ("confirm", "plan") else [*words, "--yes"]

    def set_up(self) -> None:
        """What is to be in force before the command, unless it still is."""
        if self.stood is None or self.world.standing() != self.stood:
            for each in self.case.before:
                if isinstance(each, Killed):
                    assert self.trace(each.command, each.acts, each.at).killed == each.at
                else:
                    self.world.twinwall(*self.arguments(each), expect=None)
            self.stood = self.world.standing()
        if self.case.command[0] == "apply":
            self.world.forget_policies()
        assert self.world.enforced() == self.case.outcomes[0], self.world.said

    def run(self, kill_at: tracer.Boundary | int = 0, *, harmless: bool = False) -> tracer.Run:
        return self.trace(self.case.command, self.case.acts, kill_at, harmless=harmless)

    def trace(self, words: tuple[str, ...], acts: str, kill_at: tracer.Boundary | int, *, harmless: bool = False) -> tracer.Run:
        """A command, traced from where it acts."""
        command = self.world.command(*self.arguments(words))
        owner = recovery if acts == "recover" else Desk

        def traced() -> int:
            act = getattr(owner, acts)

            def marked(*arguments: object) -> object:
                tracer.mark()
                return act(*arguments)

            setattr(owner, acts, marked)
            return command()

        return tracer.run(traced, kill_at, harmless=harmless)

    def check(self, at: tracer.Boundary | int, *, harmless: bool = False) -> tracer.Run:
        """Kill at a boundary and look at everything."""
        self.set_up()
        with self.world.stream() as stream:
            ended = self.run(at, harmless=harmless)
            enforced = self.world.enforced()
            assert enforced in self.case.outcomes, f"{enforced} pass"
            said = self.world.twinwall("plan", self.world.policies["a"], expect=None)
            finished = self.case.outcomes[-1] if self.case.finished else enforced
            assert self.world.enforced() in (enforced, finished), said
        assert self.world.left_over() == [], said
        assert self.world.noted() == self.world.policy_in_force(), "the journal says otherwise"
        assert stream.lost == 0, f"of {stream.sent}"
        assert stream.wrong == 0 or "nothing" in self.case.outcomes, f"of {stream.sent}"
        return ended


@pytest.mark.parametrize("name", CHOSEN)
def test_killed_anywhere_the_gateway_enforces_the_old_policy_or_the_new_one(world: World, name: str):
    killing = Killing(world, CASES[name])
    killing.set_up()
    whole = killing.run(harmless=HARMLESS)
    assert whole.status in (0, PLAN_CHANGES), world.said
    step = EVERY or max(1, len(whole.boundaries) // SAMPLES)
    chosen = whole.boundaries[step // 2 :: step]
    failed, reached = [], 0
    for at in chosen:
        try:
            reached += killing.check(at, harmless=HARMLESS).killed == at
        except AssertionError as error:
            failed.append(f"killed {at}: {error}")
            LOG.info("%s", failed[-1])
            killing.stood = None
    LOG.info("%s: %d of %d boundaries, %d of them reached", name, len(chosen), len(whole.boundaries), reached + len(failed))
    assert not failed, "\n".join(failed)
    assert reached >= len(chosen) * MOST, "the command takes another way each time"


def test_a_trial_whose_end_was_cut_short_is_ended_by_the_next_command(world: World):
    killing = Killing(world, CASES["taken back, nft"])
    killing.set_up()
    assert killing.run(STAGED_NFT).killed == STAGED_NFT
    assert world.enforced() == "b"
    assert "because it was taken back" in world.twinwall("plan", world.policies["a"], expect=None)
    assert world.enforced() == "a"
    assert world.left_over() == []
