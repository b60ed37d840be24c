"""The guard notices what is not as it should be, says it once, and puts it right."""

import contextlib

import pytest

from tests.enforce.world import World
from tests.live.namespace import why_unavailable
from twinwall.enforce.desk import make_desk
from twinwall.enforce.guard import Guard, Kind
from twinwall.enforce.journal import Author
from twinwall.enforce.notices import Notices
from twinwall.enforce.state import State
from twinwall.live.sysctl import read

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


DAMAGES = {
    "the ruleset removed": ("nft delete table inet twinwall", Kind.RULESET),
    "every ruleset flushed": ("nft flush ruleset", Kind.RULESET),
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


def test_damage_before_the_guard_began_is_found(world):
    world.router.run("nft", "flush", "chain", "inet", "twinwall", "forward")
    assert Watched(world).look() == {Kind.RULESET}
    assert world.enforced() == "a"


def test_other_tables_are_nobody_s_business(world):
    watched = Watched(world)
    world.router.run("nft", "add", "table", "inet", "docker")
    assert watched.look() == set()
    assert "docker" in world.router.run("nft", "list", "tables")


def test_an_interface_that_came_back_gets_its_program(world):
    watched = Watched(world)
    world.router.run("ip", "link", "del", "in0")
    assert watched.look() == set()
    world.plug_in0()
    assert world.passes(0.3) is None, "until then nothing passes it"
    assert watched.look() == {Kind.PROGRAM}
    assert world.enforced() == "a"


def test_it_only_reports_if_told_so_and_only_once(world):
    watched = Watched(world, restore=False)
    world.router.run("ip", "link", "set", "in0", "xdp", "off")
    assert watched.look() == {Kind.PROGRAM}
    assert watched.look() == {Kind.PROGRAM}
    assert len(watched.said) == 1
    assert world.programs().keys() == {"out0"}


def test_a_trial_is_the_watchdog_s(world):
    world.apply("b", "--confirm-within", "1h")
    world.router.run("ip", "link", "set", "in0", "xdp", "off")
    assert Watched(world).look() == set()
    world.twinwall("rollback")


def test_it_wakes_when_an_interface_or_a_ruleset_changes(world):
    with contextlib.ExitStack() as stack:
        with world.router.entered():
            notices = stack.enter_context(Notices())
            notices.wait(0)
        for command in ("nft add table inet other", "ip link set in0 down"):
            world.router.run("sh", "-ec", command)
            assert notices.wait(10), command
        assert not notices.wait(0)
