"""SIGKILL at system call boundaries of a change: the kernel enforces the old policy or the new one, never a mixture.

Every `STEP`-th boundary from the command's start to its end, of the command and of the `nft` it starts, is tried; all of them
with TWINWALL_KILL_EVERY=1 in the environment.
"""

import os

import pytest

from tests.enforce import tracer
from tests.enforce.world import World
from tests.live.namespace import why_unavailable
from twinwall.enforce.desk import Desk

pytestmark = pytest.mark.kernel
EVERY = int(os.environ.get("TWINWALL_KILL_EVERY", "0"))
SAMPLES = 6


@pytest.fixture
def world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        yield made


def traced(world, *arguments):
    """The command, traced from where it takes the lock to act."""
    command = world.command(*arguments)

    def run():
        act = Desk.carry_out

        def marked(desk, wanted):
            tracer.mark()
            return act(desk, wanted)

        Desk.carry_out = marked
        return command()

    return run


def boundaries(world, *arguments):
    """The stops to kill at, and the number of all, found by one run to the end."""
    whole = tracer.run(traced(world, *arguments))
    assert whole.status == 0, world.said
    step = EVERY or max(1, whole.stops // SAMPLES)
    return range(step // 2 + 1, whole.stops + 1, step)


def test_killed_anywhere_the_gateway_enforces_the_old_policy_or_the_new_one(world):
    world.apply("a")
    for at in boundaries(world, "apply", world.policies["b"], "--yes"):
        world.apply("a")
        assert world.enforced() == "a"
        ended = tracer.run(traced(world, "apply", world.policies["b"], "--yes"), at)
        enforced = world.enforced()
        assert enforced in ("a", "b"), f"killed {ended.killed} at {at} of {ended.stops}: {enforced} pass"
        said = world.twinwall("plan", world.policies[enforced])
        assert "nothing would change" in said
        assert world.enforced() == enforced
