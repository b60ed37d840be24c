from __future__ import annotations

import socket
import struct

from tests.lab.made import HOST, address
from twinwall.lab.costs import FAR, KINDS, VARIANTS, Burst, frame, key


def test_a_burst_sends_every_frame_in_order():
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with here, there:
        Burst([b"one", b"two", b"three"]).send(here)
        assert [there.recv(16) for _ in range(3)] == [b"one", b"two", b"three"]


def test_the_frame_is_a_udp_packet_with_a_right_checksum():
    made = frame(b"\x02" + bytes(5), 40000, 53)
    assert len(made) == 60
    head = made[14:34]
    total = sum(struct.unpack(">10H", head))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
    assert head[12:16] == address(HOST)
    assert head[16:20] == address(FAR)
    assert struct.unpack(">HH", made[34:38]) == (40000, 53)


def test_every_measurement_has_a_name_of_its_own():
    assert len({key(variant, kind) for variant in VARIANTS for kind in KINDS}) == 9
