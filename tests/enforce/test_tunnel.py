"""What a gateway takes out of a tunnel is another packet than the one that it came in, and was not judged with it."""

from __future__ import annotations

import os
import select
import struct

import pytest

from tests.conntrack.segments import ip
from tests.enforce.world import World, frame
from tests.live.namespace import why_unavailable
from tests.oracle.kernel import NEXT_HOP_MAC, packet_socket
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip

POLICY = """twinwall: 1
stateless:
  default: forward
  rules: |
    drop udp any any -> any 1001 (sid:1;)
stateful:
  order: strict
  default: [drop_strict]
  rules: |
    pass udp any any -> any any (sid:2;)
attach: {{mode: gateway, inside: [{inside}], outside: [out0]}}
"""
INNER, VXLAN = "02:00:00:00:00:77", 4789
TUNNEL = f"ip link add vx0 type vxlan id 4 local 192.0.2.1 dstport {VXLAN}; ip link set vx0 addrgenmode none address {INNER} up"
IN_A_BRIDGE = f"""
ip link add br0 type bridge; ip link set br0 addrgenmode none address {INNER} up; ip link set vx0 master br0
ip link add dmz0 type veth peer name seen netns {{holder}}; ip link set dmz0 addrgenmode none up
ip route add 203.0.113.0/24 dev dmz0; ip neigh add 203.0.113.9 lladdr {NEXT_HOP_MAC} dev dmz0 nud permanent
"""


@pytest.fixture
def world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as world:
        world.router.run("sh", "-ec", f"ip addr add 192.0.2.1/24 dev in0; {TUNNEL}")
        yield world


def apply(world, inside):
    path = os.path.join(world.folder, "tunnel.yaml")
    with open(path, "w") as stream:
        stream.write(POLICY.format(inside=inside))
    world.twinwall("apply", path, "--yes")


def inside(port):
    """A packet in the tunnel, as it comes in through in0."""
    packet = encode_ip(Conversation().say(f"udp 198.51.100.9:4000 > 203.0.113.9:{port} len 8"))
    ethernet = bytes.fromhex(INNER.replace(":", "")) + b"\x02\0\0\0\0\x09\x08\0" + packet
    body = struct.pack("!HHHH", 5555, VXLAN, 16 + len(ethernet), 0) + b"\x08\0\0\0\0\0\x04\0" + ethernet
    return frame(ip("192.0.2.50", "192.0.2.1", 17, body))


def come_out(world, name, *ports):
    """Which of the packets to these ports come out at an interface outside."""
    with world.outside.entered():
        far = packet_socket(name)
    with far:
        for port in ports:
            world._near.send(inside(port))
        found = []
        while select.select([far], [], [], 2)[0] and ports[-1] not in found:
            seen = far.recv(2048)
            if seen[26:30] == bytes([198, 51, 100, 9]):
                found.append(int.from_bytes(seen[36:38], "big"))
    return found


@pytest.mark.kernel
def test_a_tunnel_that_lost_its_program_lets_nothing_in_with_the_stamp_of_what_it_came_in(world):
    apply(world, "in0, vx0")
    assert come_out(world, "far", 1001, 1500) == [1500]
    world.router.run("sh", "-ec", f"ip link del vx0; {TUNNEL}")
    assert not come_out(world, "far", 1001, 1500)


@pytest.mark.kernel
def test_a_bridge_with_a_tunnel_that_is_not_attached_is_not_taken_for_one_with_an_attached_port(world):
    world.router.run("sh", "-ec", IN_A_BRIDGE.format(holder=world.outside.holder.pid))
    world.outside.run("ip", "link", "set", "seen", "addrgenmode", "none", "up")
    apply(world, "in0")
    assert come_out(world, "seen", 1500) == [1500]
