"""The guard notices what is not as it should be, says it once, and puts it right."""

import contextlib
from pathlib import Path

import pytest

from tests.enforce.world import World
from tests.live.namespace import why_unavailable
from twinwall.enforce.desk import make_desk
from twinwall.enforce.guard import Guard, Kind
from twinwall.enforce.journal import Author
from twinwall.enforce.linux import LinuxKernel
from twinwall.enforce.notices import Notices
from twinwall.enforce.recovery import blueprint
from twinwall.enforce.state import State
from twinwall.enforce.unrecorded import load_unrecorded
from twinwall.live.links import link
from twinwall.live.sysctl import read
from twinwall.live.xdp_stamp import detach_stamp

pytestmark = pytest.mark.kernel


@pytest.fixture
def world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        made.apply("a")
        yield made


class Watched:
    """A guard in the namespace, and what it has said."""

    def __init__(self, world, *, restore=True):
        self.world = world
        self.said = []
        desk = make_desk(State(world.state), Author(0, "root"), self.said.append)
        self.guard = Guard(desk, self.said.append, restore=restore)

    def look(self):
        with self.world.router.entered():
            return {finding.kind for finding in self.guard.look()}


def test_nothing_is_said_where_nothing_is_wrong(world):
    watched = Watched(world)
    assert watched.look() == set()
    assert watched.said == []


SERVICE = "flush ruleset\\ntable inet filter {\\n chain input {\\n type filter hook input priority 0;\\n }\\n}\\n"  # Debian's
DAMAGES = {
    "the ruleset removed": ("nft delete table inet twinwall", Kind.RULESET),
    "every ruleset flushed": ("nft flush ruleset", Kind.RULESET),
    "nftables.service started anew": (f"printf '{SERVICE}' | nft -f -", Kind.RULESET),
    "a rule added": ("nft insert rule inet twinwall forward accept", Kind.RULESET),
    "a chain flushed": ("nft flush chain inet twinwall forward", Kind.RULESET),
    "a program detached": ("ip link set in0 xdp off", Kind.PROGRAM),
    "a setting changed": ("echo 5 > /proc/sys/net/netfilter/nf_conntrack_udp_timeout", Kind.SETTING),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_said_and_put_right(world, damage):
    command, kind = DAMAGES[damage]
    watched = Watched(world)
    assert watched.look() == set()
    world.router.run("sh", "-ec", command)
    assert watched.look() == {kind}
    assert watched.said[-1].startswith("put right")
    assert watched.look() == set()
    assert world.enforced() == "a"
    with world.router.entered():
        assert read("net.netfilter.nf_conntrack_udp_timeout") == "30"
    assert "guard" in {entry.action for entry in State(world.state).journal.entries()}
    assert State(world.state).confirmed().policy.name == world.policies["a"]


NFT_DAMAGES = {
    "its table removed": "nft delete table netdev twinwall_1",
    "its rules flushed": "nft flush table netdev twinwall_1",
    "its hook's chain flushed": "nft flush chain netdev twinwall_1 ingress",
    "a rule added": "nft insert rule netdev twinwall_1 ingress accept",
}


@pytest.fixture
def nft_world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        made.apply("a", "--stateless", "nft")
        yield made


@pytest.mark.parametrize("damage", NFT_DAMAGES)
def test_damage_of_the_stateless_stage_in_nftables_is_found_and_put_right(nft_world, damage):
    watched = Watched(nft_world)
    assert watched.look() == set()
    nft_world.router.run("sh", "-ec", NFT_DAMAGES[damage])
    assert Kind.RULESET in watched.look()
    assert watched.said[-1].startswith("put right")
    assert watched.look() == set()
    assert nft_world.enforced() == "a"


def test_an_interface_that_comes_and_goes_is_no_damage_of_the_stateless_stage_in_nftables(nft_world):
    watched = Watched(nft_world)
    assert watched.look() == set()
    nft_world.router.run("ip", "link", "del", "in0")
    assert watched.look() == set()
    nft_world.plug_in0()
    watched.look()  # Linux before 6.16 has forgotten the interface; later ones hook it again by its name
    assert watched.look() == set()
    assert nft_world.enforced() == "a"


INSPECTED = """twinwall: 1
stateful:
  rules: |
    drop tcp any any -> any 80 (inspect; sid:1;)
attach: {mode: gateway, inside: [in0], outside: [out0], on_inspection_failure: pass}
"""


def test_the_inspector_s_table_that_somebody_removed_is_put_back(world):
    """Without it nothing is handed to the inspector, and with `on_inspection_failure: pass` everything would pass."""
    path = Path(world.folder, "inspected.yaml")
    path.write_text(INSPECTED)
    if "in force" not in world.twinwall("apply", path, "--yes", expect=None) or "twinwall_queue" not in listed(world):
        pytest.skip("packets get to the inspector without a table of ours here")
    watched = Watched(world)
    assert watched.look() == set()
    world.router.run("nft", "delete", "table", "inet", "twinwall_queue")
    assert watched.look() == {Kind.RULESET}
    assert "twinwall_queue" in listed(world)
    assert watched.look() == set()


def listed(world):
    return world.router.run("nft", "list", "tables")


@pytest.mark.parametrize("way", ["xdp", "nft"])
def test_the_order_in_which_objects_were_made_is_no_damage(world, way):
    """Over another policy base chains stay, and stand in front; into an empty kernel they come last."""
    world.apply("b", "--stateless", way)
    world.apply("a", "--stateless", way)
    with world.router.entered():
        kernel = LinuxKernel(State(world.state))
        made = blueprint(State(world.state), State(world.state).current())
        before = kernel.fingerprint()
        world.router.run("nft", "flush", "ruleset")
        load_unrecorded(kernel, made)
        assert kernel.fingerprint() == before
    assert world.enforced() == "a"


def test_damage_before_the_guard_began_is_found(world):
    world.router.run("nft", "flush", "chain", "inet", "twinwall", "forward")
    assert Watched(world).look() == {Kind.RULESET}
    assert world.enforced() == "a"


def test_other_tables_are_nobody_s_business(world):
    watched = Watched(world)
    world.router.run("nft", "add", "table", "inet", "docker")
    assert watched.look() == set()
    assert "docker" in world.router.run("nft", "list", "tables")


def test_the_program_behind_xdp_that_somebody_detached_is_put_back(world):
    """It hands on what XDP says; without it the ruleset drops everything."""
    watched = Watched(world)
    assert watched.look() == set()
    with world.router.entered():
        detach_stamp(link("in0").index)
    assert world.passes(0.3) is None
    assert watched.look() == {Kind.PROGRAM}
    assert watched.look() == set()
    assert world.enforced() == "a"


def test_an_interface_that_came_back_gets_its_program(world):
    watched = Watched(world)
    world.router.run("ip", "link", "del", "in0")
    assert watched.look() == set()
    world.plug_in0()
    assert world.passes(0.3) is None, "until then nothing passes it"
    assert watched.look() == {Kind.PROGRAM}
    assert world.enforced() == "a"


def shortcuts(world):
    """What the base chain's shortcuts are for: interfaces by name, or numbers that none has."""
    listed = world.router.run("nft", "list", "chain", "inet", "twinwall", "forward")
    return [line.split()[1].strip('"') for line in listed.splitlines() if "iif" in line]


@pytest.mark.parametrize("way", ["xdp", "nft"])
def test_an_interface_that_came_back_gets_its_shortcut_and_nothing_is_said_of_it(way):
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as world:
        world.apply("a", "--stateless", way)
        watched = Watched(world)
        assert (watched.look(), shortcuts(world)) == (set(), ["in0", "out0"])
        world.router.run("ip", "link", "del", "in0")
        assert (watched.look(), shortcuts(world)) == (set(), ["out0"])
        world.plug_in0()
        watched.look()
        assert (watched.look(), shortcuts(world)) == (set(), ["in0", "out0"])
        assert world.enforced() == "a"
        with world.router.entered():
            assert not watched.guard.desk.damaged(State(world.state).current())
        assert not any("changed" in each for each in watched.said)


def test_it_only_reports_if_told_so_and_only_once(world):
    watched = Watched(world, restore=False)
    world.router.run("ip", "link", "set", "in0", "xdp", "off")
    assert watched.look() == {Kind.PROGRAM}
    assert watched.look() == {Kind.PROGRAM}
    assert len(watched.said) == 1
    assert world.programs().keys() == {"out0"}


@pytest.mark.parametrize("way", ["xdp", "nft"])
def test_a_policy_on_trial_is_looked_after_and_its_end_is_the_watchdog_s(world, way):
    world.apply("b", "--confirm-within", "1h", "--stateless", way)
    watched, pending = Watched(world), State(world.state).pending()
    assert watched.look() == set()
    damages = {"nft insert rule inet twinwall forward accept": {Kind.RULESET}}
    if way == "xdp":
        damages["ip link set in0 xdp off"] = {Kind.PROGRAM}
    else:
        damages["nft delete table netdev twinwall_0"] = {Kind.RULESET, Kind.PROGRAM}
    for damage, kinds in damages.items():
        world.router.run("sh", "-ec", damage)
        assert watched.look() == kinds
        assert watched.look() == set()
        assert world.enforced() == "b"
    assert State(world.state).pending() == pending
    assert State(world.state).confirmed().policy.name == world.policies["a"]
    world.twinwall("rollback")
    assert world.enforced() == "a"


def test_the_end_of_a_trial_is_not_the_guard_s(world):
    world.apply("b", "--confirm-within", "1h")
    world.router.run("nft", "delete", "table", "inet", "twinwall")
    watched = Watched(world)
    assert watched.look() == set()
    assert watched.said[0].startswith("restored: ")
    assert "somebody else removed the ruleset" in watched.said[0]
    assert world.enforced() == "a"


def test_it_wakes_when_an_interface_or_a_ruleset_changes(world):
    with contextlib.ExitStack() as stack:
        with world.router.entered():
            notices = stack.enter_context(Notices())
            notices.wait(0)
        for command in ("nft add table inet other", "ip link set in0 down"):
            world.router.run("sh", "-ec", command)
            assert notices.wait(10), command
        assert not notices.wait(0)


BRIDGE = "ip link add br0 type bridge; ip link set br0 up"


def test_an_interface_that_became_a_bridge_s_port_is_taken_out_of_it(world):
    watched = Watched(world)
    world.router.run("sh", "-ec", f"{BRIDGE}; ip link set in0 master br0")
    assert watched.look() == {Kind.MASTER}
    assert watched.said[0] == "in0 belongs to br0 now: what is bridged there passes by the stateful stage, all else is dropped"
    assert watched.look() == set()
    assert world.enforced() == "a"


def test_a_port_is_only_reported_if_told_so(world):
    watched = Watched(world, restore=False)
    world.router.run("sh", "-ec", f"{BRIDGE}; ip link set in0 master br0")
    assert watched.look() == {Kind.MASTER}
    assert watched.look() == {Kind.MASTER}
    assert len(watched.said) == 1
    assert "master br0" in world.router.run("ip", "link", "show", "in0")


@pytest.fixture
def bridge():
    """The same gateway as a bridge: `a` of its policies."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        path = Path(made.policies["a"])
        path.write_text(path.read_text().replace("mode: gateway", "mode: bridge"))
        made.router.run("sh", "-ec", f"{BRIDGE}; ip link set in0 master br0; ip link set out0 master br0")
        made.apply("a")
        yield made


def test_the_bridge_s_own_table_that_somebody_removed_is_put_back(bridge):
    watched = Watched(bridge)
    assert watched.look() == set()
    bridge.router.run("nft", "delete", "table", "bridge", "twinwall")
    assert watched.look() == {Kind.RULESET}
    assert "table bridge twinwall" in listed(bridge)
    assert watched.look() == set()


def test_a_port_that_left_its_bridge_forwards_nothing_and_is_put_back(bridge):
    watched = Watched(bridge)
    assert watched.look() == set()
    bridge.router.run("ip", "link", "set", "in0", "nomaster")
    assert bridge.passes(0.3) is None, "nobody judges what is routed from there"
    assert watched.look() == {Kind.MASTER}
    assert "master br0" in bridge.router.run("ip", "link", "show", "in0")
    assert watched.look() == set()


def test_a_bridge_that_is_gone_cannot_be_put_right_and_that_is_said_once(bridge):
    watched = Watched(bridge)
    bridge.router.run("ip", "link", "del", "br0")
    assert watched.look() == watched.look() == {Kind.MASTER}
    assert sum("cannot put it right" in line for line in watched.said) == 1
    assert "hint: make the bridge br0 again" in watched.said[-1]


def test_the_bridge_of_a_port_that_joined_it_after_the_start_is_remembered(bridge):
    bridge.router.run("ip", "link", "set", "in0", "nomaster")
    bridge.twinwall("stop", "--yes")
    bridge.apply("a")
    watched = Watched(bridge)
    assert watched.look() == set(), "where it belongs nobody knows yet"
    bridge.router.run("ip", "link", "set", "in0", "master", "br0")
    assert watched.look() == set()
    bridge.router.run("ip", "link", "set", "in0", "nomaster")
    assert watched.look() == {Kind.MASTER}


def test_what_keeps_it_from_looking_is_said_once_and_it_goes_on(world):
    watched = Watched(world)
    current = Path(world.state, "current.json")
    text = current.read_text()
    current.write_text("{")
    with world.router.entered():
        watched.guard.look_on()
        watched.guard.look_on()
    assert [line.split(": ")[0] for line in watched.said] == ["cannot look"]
    assert "hint: " in watched.said[0]
    current.write_text(text)
    world.router.run("nft", "delete", "table", "inet", "twinwall")
    with world.router.entered():
        watched.guard.look_on()
    assert world.enforced() == "a"
