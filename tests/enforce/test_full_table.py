"""A full connection table: what is new is dropped by the kernel, as replay says; what is known goes on; `status` tells.

The bound is one for the whole machine and not ours to change, so the table is filled up to it: with answered connections, which
the kernel does not give up for new ones.
"""

from __future__ import annotations

import select
import socket

import numpy as np
import pytest

from tests.enforce.world import World, frame
from tests.live.namespace import why_unavailable
from tests.oracle.kernel import PATIENCE, marker
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip
from twinwall.live.connection import Attribute, FiveTuple, Status, family
from twinwall.live.conntrack import NEW, ConnectionTable
from twinwall.live.netlink import CREATE, EXCLUSIVE, NETLINK_NETFILTER, REQUEST, attribute, encode, nested

pytestmark = pytest.mark.kernel

MOST = 300_000  # entries that a test may make the kernel hold: some 100 MB
AT_ONCE = 1000  # messages in a datagram
FIRST = 0x0A640000  # 10.100.0.0: the sources of what fills the table
KNOWN = 1 << 40  # the number of a marker that nobody else sends


@pytest.fixture
def world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        if table_of(made).limit > MOST:
            pytest.skip(f"the machine's connection table holds more than {MOST:,} entries")
        yield made


def table_of(world):
    with world.router.entered(), ConnectionTable() as table:
        return table.fill()


def message(source: bytes) -> bytes:
    """What asks the kernel for an answered UDP connection of this source."""
    ends = FiveTuple(source, bytes([203, 0, 113, 9]), socket.IPPROTO_UDP, 5000, 53)
    status = Status.SEEN_REPLY | Status.ASSURED | Status.CONFIRMED
    rest = attribute(Attribute.STATUS, int(status).to_bytes(4)) + attribute(Attribute.TIMEOUT, (600).to_bytes(4))
    tuples = nested(Attribute.ORIGINAL, ends.encode()) + nested(Attribute.REPLY, ends.reversed().encode())
    return encode(NEW, REQUEST | CREATE | EXCLUSIVE, 0, family(ends) + tuples + rest)


def fill(world, count):
    """Make so many connections, each of a source of its own: the message of one, with its address changed."""
    mark = b"\x0a\x64\xff\xfe"
    pattern = message(mark)
    places = [at for at in range(len(pattern)) if pattern.startswith(mark, at)]
    assert len(places) == 2
    messages = np.tile(np.frombuffer(pattern, np.uint8), (count, 1))
    sources = (FIRST + np.arange(count)).astype(">u4").view(np.uint8).reshape(count, 4)
    for at in places:
        messages[:, at : at + 4] = sources
    with world.router.entered(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as link:
        for start in range(0, count, AT_ONCE):
            link.send(messages[start : start + AT_ONCE].tobytes())


def known_passes(world):
    """Whether a packet of the connection that is there already comes out before the marker."""
    world._near.send(frame(encode_ip(Conversation().say("udp 198.51.100.9:40000 > 203.0.113.9:1500 len 8"))))
    world._near.send(marker(KNOWN))
    passed = False
    while select.select([world._far], [], [], PATIENCE)[0]:
        seen = world._far.recv(2048)
        if seen[26:34] == bytes([192, 0, 2, 1, 192, 0, 2, 2]) and seen[42:50] == KNOWN.to_bytes(8):
            return passed
        passed |= seen[26:34] == bytes([198, 51, 100, 9, 203, 0, 113, 9]) and seen[34:36] == (40000).to_bytes(2)
    raise AssertionError("not even the marker came out")


def test_new_connections_are_dropped_and_told_and_known_ones_go_on(world):
    world.apply("a")
    assert known_passes(world)
    assert world.passes() == world.allowed["a"]
    limit = table_of(world).limit
    fill(world, limit)
    assert table_of(world).entries == limit
    assert world.passes() == set()
    assert known_passes(world)
    assert table_of(world).statistics["drop"] >= len(world.allowed["a"])
    status = world.twinwall("status", expect=None)
    assert "the connection table is nearly full" in status
    assert "dropped since boot because the connection table was full" in status
