"""At the machine's start: the confirmed policy, or, if it cannot be loaded, nothing passes."""

import dataclasses

import pytest

from tests.enforce.test_commands import kill_watchdog
from tests.enforce.world import in_world
from twinwall.enforce.state import State

pytestmark = pytest.mark.kernel


world = pytest.fixture(in_world)


def test_the_machine_s_start_puts_the_confirmed_policy_in_force(world):
    world.apply("a")
    world.apply("b", "--confirm-within", "1h")
    kill_watchdog(world)
    state = State(world.state)
    state.set_pending(dataclasses.replace(state.pending(), boot="the one before"))
    world.router.run("sh", "-c", "nft delete table inet twinwall; ip link set in0 xdp off; ip link set out0 xdp off")
    said = world.twinwall("boot")
    assert "forgotten" in said
    assert world.enforced() == "a"
    assert "in force already" in world.twinwall("boot")


@pytest.mark.parametrize("damaged", ["policies/*/source.json", "confirmed.json"])
def test_a_start_that_fails_lets_nothing_through_and_says_so(world, damaged):
    world.apply("a")
    world.router.run("sh", "-c", "nft delete table inet twinwall; ip link set in0 xdp off; ip link set out0 xdp off")
    for path in State(world.state).folder.glob(damaged):
        path.write_text("{}")
    said = world.twinwall("boot", expect=5)
    assert "damaged" in said
    assert "nothing passes now" in said
    assert world.passes(0.3) is None
    State(world.state).folder.joinpath("confirmed.json").unlink()
    world.apply("b")
    assert world.enforced() == "b"


def test_a_start_without_a_confirmed_policy_does_nothing(world):
    assert "no policy is confirmed" in world.twinwall("boot")
    assert world.enforced() == "nothing"


@pytest.mark.parametrize("way", ["xdp", "nft"])
def test_what_comes_through_an_interface_that_appears_later_is_dropped_until_it_is_judged(world, way):
    world.apply("a", "--stateless", way)
    world.router.run(
        "sh", "-c", "nft delete table inet twinwall; nft delete table netdev twinwall_1 2> /dev/null; ip link del in0"
    )
    world.twinwall("boot")
    world.plug_in0()
    if way == "xdp":
        assert world.passes(0.3) is None
    world.twinwall("guard", "--once", expect=None)
    assert world.enforced() == "a"
