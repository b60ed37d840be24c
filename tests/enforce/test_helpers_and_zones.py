"""What other tables do to the tracker: helpers that expect connections, and zones.

A connection is passed because a rule passes it, whoever has announced it, and in whichever zone it is.
"""

from __future__ import annotations

import json
import select
from pathlib import Path

import pytest

from tests.enforce.world import World, frame
from tests.live.namespace import why_unavailable
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip
from twinwall.live.conntrack import ConnectionTable

pytestmark = pytest.mark.kernel

POLICY = """twinwall: 1
stateful:
  order: strict
  default: [drop_strict]
  rules: |
    pass udp any any -> any 69 (sid:100;)
    {more}
attach: {{mode: gateway, inside: [in0], outside: [out0]}}
"""
HELPER = """
table ip other {
  ct helper tftp-there { type "tftp" protocol udp; l3proto ip; }
  chain pre { type filter hook prerouting priority -150; udp dport 69 ct helper set "tftp-there"; }
}
"""
ZONES = {
    "both directions": "ct zone set 5",
    "the original direction": "ct original zone set 5",
    "the reply direction": "ct reply zone set 5",
}
CLIENT, SERVER = "198.51.100.9:4000", "203.0.113.9"
REQUEST = b"\0\x01file\0octet\0"
PATIENCE, BRIEFLY = 10, 0.3


@pytest.fixture
def world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        routes = (
            "ip route add 198.51.100.0/24 dev in0; ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev in0 nud permanent"
        )
        made.router.run("sh", "-ec", routes)
        yield made


def apply(world, more="", *options):
    path = Path(world.folder, "policy.yaml")
    path.write_text(POLICY.format(more=more))
    world.twinwall("apply", path, "--yes", *options)


def request(world):
    """The client asks for a file; whether that came out."""
    packet = encode_ip(Conversation().say(f"udp {CLIENT} > {SERVER}:69 len {len(REQUEST)}"))
    world._near.send(frame(packet[:26] + b"\0\0" + REQUEST))
    return came(world._far, PATIENCE)


def data(world, patience=BRIEFLY):
    """The server sends it from a port of its own choice; whether that came out."""
    (link,) = json.loads(world.router.run("ip", "-json", "link", "show", "out0"))
    packet = encode_ip(Conversation().say(f"udp {SERVER}:5555 > {CLIENT} len 8"))
    world._far.send(bytes.fromhex(link["address"].replace(":", "")) + b"\x02\0\0\0\0\x02\x08\0" + packet)
    return came(world._near, patience)


def came(wire, patience):
    """Whether a packet between the two comes."""
    while select.select([wire], [], [], patience)[0]:
        seen = wire.recv(2048)
        if {seen[26:30], seen[30:34]} == {bytes([198, 51, 100, 9]), bytes([203, 0, 113, 9])}:
            return True
    return False


def expecting(world, more="", *options):
    """The policy in force, and a helper that expects the server's data."""
    apply(world, more, *options)
    try:
        world.router.run("nft", "-f", "-", text=HELPER)
    except RuntimeError as error:
        pytest.skip(f"this kernel has no helper for TFTP: {error}")
    assert request(world)
    assert "helper=tftp" in world.router.run("conntrack", "-L", "expect")


@pytest.mark.parametrize("way", ["xdp", "nft"])
def test_an_expected_connection_that_no_rule_passes_is_dropped(world, way):
    """Linux gives it the mark of the connection that announced it, and with that its verdict."""
    expecting(world, "", "--stateless", way)
    assert not data(world)
    assert "5555" not in world.router.run("conntrack", "-L")


def test_an_expected_connection_that_a_rule_passes_is_passed_by_that_rule(world):
    expecting(world, "pass udp any any -> any 4000 (sid:101;)")
    assert data(world, PATIENCE)
    assert data(world, PATIENCE)
    with world.router.entered(), ConnectionTable() as table:
        rules = {entry.seen.source_port: entry.rule_number for entry in table.entries() if entry.protocol == 17}
    assert (rules[4000], rules[5555]) == (1, 2)


@pytest.mark.parametrize("zone", ZONES)
def test_connections_in_a_zone_are_judged_listed_marked_and_ended(world, zone):
    apply(world)
    chain = f"chain pre {{ type filter hook prerouting priority -300; {ZONES[zone]}; }}"
    world.router.run("nft", "-f", "-", text=f"table inet other {{\n{chain}\n}}\n")
    assert request(world)
    assert not data(world)
    with world.router.entered(), ConnectionTable() as table:
        (entry,) = (each for each in table.entries() if each.protocol == 17)
        assert (entry.verdict, entry.rule_number) == ("pass", 1)
        assert table.set_mark(entry, 0)
        (entry,) = (each for each in table.entries() if each.protocol == 17)
        assert entry.verdict == ""
        assert table.delete(entry)
        assert not [each for each in table.entries() if each.protocol == 17]
