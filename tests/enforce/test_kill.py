"""SIGKILL at system call boundaries of a change: the kernel enforces the old policy or the new one, never a mixture.

The command and every `nft` that it starts are killed before and after each system call from where the command begins to act to
its end; traffic crosses the gateway meanwhile, and while the next command puts right what was left.  Of each case a sample is
tried; `TWINWALL_KILL_EVERY=1` in the environment tries every boundary of a call that may change something outside its process
(`calls` says which may not, and why the others stand for them), `2` every second one.  `TWINWALL_KILL_HARMLESS=1` counts
the harmless ones too: that is how it is checked that they are.
"""

from __future__ import annotations

import logging
import os
from typing import NamedTuple

import pytest

from tests.enforce import tracer
from tests.enforce.world import World
from tests.live.namespace import why_unavailable
from twinwall.enforce.desk import Desk

pytestmark = pytest.mark.kernel
LOG = logging.getLogger(__name__)
EVERY = int(os.environ.get("TWINWALL_KILL_EVERY", "0"))
HARMLESS = os.environ.get("TWINWALL_KILL_HARMLESS") == "1"
SAMPLES = 3
XDP, NFT, TRIAL = (("--stateless", "xdp"), ("--stateless", "nft"), ("--confirm-within", "1h"))


class Case(NamedTuple):
    """A command that is killed, from where it calls a method of the desk; what leads up to it, what may be in force then."""

    before: tuple[tuple[str, ...], ...]
    command: tuple[str, ...]
    outcomes: tuple[str, ...]  # the first is what `before` brings about
    acts: str = "carry_out"


CASES = {
    "xdp": Case((("apply", "a", *XDP),), ("apply", "b", *XDP), ("a", "b")),
    "nft": Case((("apply", "a", *NFT),), ("apply", "b", *NFT), ("a", "b")),
    "xdp to nft": Case((("apply", "a", *XDP),), ("apply", "b", *NFT), ("a", "b")),
    "nft to xdp": Case((("apply", "a", *NFT),), ("apply", "b", *XDP), ("a", "b")),
    "the first": Case((("stop",),), ("apply", "a", *XDP), ("nothing", "a")),
    "the first, nft": Case((("stop",),), ("apply", "a", *NFT), ("nothing", "a")),
    "stop": Case((("apply", "a", *XDP),), ("stop",), ("a", "nothing"), "stop"),
    "stop, nft": Case((("apply", "a", *NFT),), ("stop",), ("a", "nothing"), "stop"),
    "rollback": Case((("apply", "a", *XDP), ("apply", "b", *XDP)), ("rollback",), ("b", "a")),
    "rollback, nft": Case((("apply", "a", *NFT), ("apply", "b", *NFT)), ("rollback",), ("b", "a")),
    "confirm": Case((("apply", "a", *XDP), ("apply", "b", *XDP, *TRIAL)), ("confirm",), ("b",), "confirm"),
    "taken back": Case((("apply", "a", *XDP), ("apply", "b", *XDP, *TRIAL)), ("rollback",), ("b", "a"), "take_back"),
    "taken back, nft": Case((("apply", "a", *NFT), ("apply", "b", *NFT, *TRIAL)), ("rollback",), ("b", "a"), "take_back"),
    "trial": Case((("rollback",), ("apply", "a", *XDP)), ("apply", "b", *XDP, *TRIAL), ("a", "b")),
}


@pytest.fixture
def world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        yield made


class Killing:
    """A case in a world."""

    def __init__(self, world: World, case: Case) -> None:
        self.world, self.case = world, case
        self.stood = None

    def arguments(self, command: tuple[str, ...]) -> list[str]:
        words = [self.world.policies.get(each, each) for each in command]
        return words if command[0] == "confirm" else [*words, "--yes"]

    def set_up(self) -> None:
        """What is to be in force before the command, unless it still is."""
        if self.stood is None or self.world.standing() != self.stood:
            for each in self.case.before:
                self.world.twinwall(*self.arguments(each), expect=None)
            self.stood = self.world.standing()
        assert self.world.enforced() == self.case.outcomes[0], self.world.said

    def run(self, kill_at: tracer.Boundary | int = 0, *, harmless: bool = False) -> tracer.Run:
        """The command, traced from where it acts."""
        command = self.world.command(*self.arguments(self.case.command))

        def traced() -> int:
            act = getattr(Desk, self.case.acts)

            def marked(*arguments: object) -> object:
                tracer.mark()
                return act(*arguments)

            setattr(Desk, self.case.acts, marked)
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
            finished = self.case.outcomes[-1] if self.case.acts == "take_back" else enforced
            assert self.world.enforced() in (enforced, finished), said
        assert self.world.left_over() == [], said
        assert stream.lost == 0, f"of {stream.sent}"
        assert stream.wrong == 0 or "nothing" in self.case.outcomes, f"of {stream.sent}"
        return ended


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_the_gateway_enforces_the_old_policy_or_the_new_one(world: World, name: str):
    killing = Killing(world, CASES[name])
    killing.set_up()
    whole = killing.run(harmless=HARMLESS)
    assert whole.status == 0, world.said
    step = EVERY or max(1, len(whole.boundaries) // SAMPLES)
    chosen = whole.boundaries[step // 2 :: step]
    failed = []
    for at in chosen:
        try:
            killing.check(at, harmless=HARMLESS)
        except AssertionError as error:
            failed.append(f"killed {at}: {error}")
            LOG.info("%s", failed[-1])
            killing.stood = None
    LOG.info("%s: %d of %d boundaries, %d failed", name, len(chosen), len(whole.boundaries), len(failed))
    assert not failed, "\n".join(failed)
