"""The MTU of an interface changes under its XDP program: what is larger than a page is judged as before."""

from __future__ import annotations

import select

import pytest

from tests.enforce.test_guard import Watched
from tests.enforce.world import PATIENCE, TCP, UDP, World, frame
from tests.live.kernel import ebpf_or_skip
from tests.live.namespace import why_unavailable
from tests.oracle.kernel import marker
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip

pytestmark = pytest.mark.kernel
JUMBO, LARGEST = 9000, 65000  # bytes; the second is about the longest packet that there is
BACK_TO = 1500


@pytest.fixture
def world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    ebpf_or_skip()
    with World() as made:
        made.apply("a", "--stateless", "xdp")
        yield made


def widen(world, mtu):
    """Both links, on both ends."""
    for space, names in ((world.router, ("in0", "out0")), (world.outside, ("near", "far"))):
        for name in names:
            space.run("ip", "link", "set", name, "mtu", str(mtu))


def large(world, length):
    """Which of the UDP probes come out with a payload of so many bytes."""
    world._count += 1
    port = 20_000 + world._count
    for to in UDP:
        packet = encode_ip(Conversation().say(f"udp 198.51.100.9:{port} > 203.0.113.9:{to} len {length}"))
        world._near.send(frame(packet))
    world._near.send(marker(world._count))
    found = set()
    while select.select([world._far], [], [], PATIENCE)[0]:
        seen = world._far.recv(1 << 16)
        if seen[42:50] == world._count.to_bytes(8, "big"):
            return found
        if int.from_bytes(seen[34:36], "big") == port:
            found.add((int.from_bytes(seen[36:38], "big"), len(seen)))
    raise AssertionError("the gateway lost the marker")


def test_packets_of_any_size_are_judged_after_the_mtu_changed(world):
    programs, watched = world.programs(), Watched(world)
    for mtu in (JUMBO, LARGEST):
        widen(world, mtu)
        assert world.programs() == programs, "the driver keeps the program"
        assert watched.look() == set()
        length = mtu - 28
        assert large(world, length) == {(UDP[1], 14 + 28 + length)}
    widen(world, BACK_TO)
    assert world.programs() == programs
    assert world.enforced() == "a"


def test_an_mtu_that_was_large_before_is_no_hindrance(world):
    world.twinwall("stop", "--yes")
    widen(world, JUMBO)
    world.apply("b", "--stateless", "xdp")
    assert large(world, JUMBO - 28) == {(UDP[0], 14 + JUMBO)}
    assert world.passes() == {f"udp {UDP[0]}", f"tcp {TCP[1]}"}
