"""The program of a router without a firewall: there inside the block, gone behind it, whatever happens in it."""

from __future__ import annotations

import os

import pytest

from tests.lab.worlds import in_a_world
from tests.live.namespace import in_namespace
from twinwall.lab.bare import bare
from twinwall.live.links import link

pytestmark = pytest.mark.kernel
CROSSED = """
from twinwall.lab.bare import bare
from twinwall.live.links import link
def state():
    return [*(len(link(name).xdp) for name in ("lan0", "wan0")), pings("inside", "198.51.100.7", 1)]
said = [state()]
with bare(("lan0", "wan0")):
    said.append(state())
said.append(state())
print(json.dumps(said))
"""
namespace = pytest.fixture(in_namespace)


@pytest.fixture
def pair(namespace):
    namespace.run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "out0")
    return ("in0", "out0")


def test_it_is_on_every_interface_and_passes(pair):
    with bare(pair) as program:
        own = program.about().identifier
        assert [[each.program for each in link(name).xdp] for name in pair] == [[own], [own]]
        assert program.run(bytes(64))[0] == 2  # XDP_PASS
    assert [link(name).xdp for name in pair] == [(), ()]


def test_it_goes_when_what_was_measured_fails(pair):
    with pytest.raises(ZeroDivisionError), bare(pair):
        _ = 1 / 0
    assert [link(name).xdp for name in pair] == [(), ()]


def test_packets_cross_a_router_that_has_it():
    if os.geteuid() != 0:
        pytest.skip("needs root, for XDP")
    assert in_a_world(CROSSED) == [[0, 0, True], [1, 1, True], [0, 0, True]]
