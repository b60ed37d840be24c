"""The quoted packet's tuple."""

from __future__ import annotations

from tests.conntrack.segments import PAIR6, icmp, ip, udp
from tests.conntrack.tracked import Tracked


def test_quoted_extension_headers_are_followed():
    tracked = Tracked()
    tracked.send(PAIR6.udp())
    inner = bytes([17, 0]) + bytes(6) + udp(PAIR6.client.port, PAIR6.server.port)
    quoted = ip(PAIR6.client.address, PAIR6.server.address, 60, inner)
    assert tracked.says(ip("2001:db8::ff", PAIR6.client.address, 58, icmp(1, 0, 0, 0, quoted))) == "RELATED reply"
