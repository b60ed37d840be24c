"""GRE flows and PPTP calls."""

from __future__ import annotations

from tests.conntrack.segments import ip
from tests.conntrack.tracked import Tracked


def test_gre_calls_of_two_hosts_are_apart():
    tracked = Tracked()
    hosts = ("10.0.0.1", "10.0.0.2")
    call = b"\x30\x01\x88\x0b\0\0\0%c" + bytes(8)
    first = tracked.send(ip(*hosts, 47, call % 7))
    second = tracked.send(ip(*hosts, 47, call % 8))
    assert first.index != second.index
    assert tracked.says(ip(*reversed(hosts), 47, b"\0\0\x08\0" + bytes(20))) == "NEW original"
