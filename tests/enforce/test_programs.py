"""The programs on interfaces across changes, and what the machine says of them."""

import pytest

from tests.enforce.world import in_world
from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.linux import LinuxKernel
from twinwall.enforce.machine import LinuxMachine
from twinwall.enforce.programs import carries, modes, obstacle, running_modes, unguarded
from twinwall.enforce.state import State
from twinwall.live.xdp import XdpStage
from twinwall.policy.model import Attach

pytestmark = pytest.mark.kernel


world = pytest.fixture(in_world)


def in_force(world):
    state = State(world.state)
    return Blueprint(state.current(), state.source(state.current().chosen.digest))


def test_both_interfaces_run_one_program_with_the_policy_s_digest(world):
    world.apply("a")
    made = in_force(world)
    with world.router.entered():
        assert modes(made) == running_modes() == {"in0": "native", "out0": "native"}
        assert unguarded(made) == ()
        with XdpStage.of("in0") as stage:
            assert carries(stage, made)
    assert len(set(world.programs().values())) == 1


def test_a_reload_replaces_the_program_and_leaves_none_behind(world):
    world.apply("a")
    before = world.programs()["in0"]
    world.apply("b")
    made = in_force(world)
    assert before not in world.programs().values()
    with world.router.entered(), XdpStage.of("in0") as stage:
        assert carries(stage, made)
        assert not stage.control.successor


def test_an_interface_that_joins_and_one_that_leaves(world):
    one = ("--mode", "gateway", "--inside", "in0")
    world.twinwall("apply", world.policies["a"], "--yes", *one)
    assert world.programs().keys() == {"in0"}
    world.apply("b")
    assert world.programs().keys() == {"in0", "out0"}
    assert len(set(world.programs().values())) == 1
    assert world.enforced() == "b"
    world.twinwall("apply", world.policies["a"], "--yes", *one)
    assert world.programs().keys() == {"in0"}


def test_what_is_in_the_way_of_xdp_is_said(world):
    world.router.run("ip", "tuntap", "add", "tun0", "mode", "tun")
    with world.router.entered():
        assert obstacle(Attach(inside=("in0",), outside=("not-there",))) == ""
        assert "no Ethernet header" in obstacle(Attach(inside=("tun0",)))


def test_a_link_that_xdp_cannot_judge_makes_the_stage_a_chain(world):
    world.router.run("ip", "tuntap", "add", "tun0", "mode", "tun")
    arguments = ("apply", world.policies["a"], "--yes", "--inside", "in0", "--inside", "tun0", "--outside", "out0")
    assert "no Ethernet header" in world.twinwall(*arguments)
    assert world.programs() == {}
    assert world.enforced() == "a"
    assert in_force(world).force.way == "nft"


def test_the_kernel_names_the_policy_and_counts_changes_to_rulesets(world):
    kernel = LinuxKernel(State(world.state))
    world.apply("a")
    with world.router.entered():
        assert kernel.marker() == in_force(world).marker
        version, fingerprint = kernel.ruleset_version(), kernel.fingerprint()
        assert world.enforced() == "a"
        assert (kernel.ruleset_version(), kernel.fingerprint()) == (version, fingerprint), "counters are no change"
        world.router.run("nft", "add", "table", "inet", "other")
        assert kernel.ruleset_version() > version
        assert kernel.fingerprint() == fingerprint


def test_a_way_to_the_inspector_is_looked_for_only_where_a_rule_asks_for_one(world):
    machine = LinuxMachine(LinuxKernel(State(world.state)).programs)
    world.apply("a")
    with world.router.entered():
        assert machine.queue(in_force(world).policy) == "none"
        assert {each.name for each in machine.links()} >= {"in0", "out0"}
        assert machine.setting("net.ipv4.ip_forward") == "1"
        assert machine.running().keys() == {"in0", "out0"}
