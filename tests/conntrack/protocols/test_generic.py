"""Protocols without a machine: addresses and number are the flow."""

from __future__ import annotations

import pytest

from tests.conntrack.segments import ip
from tests.conntrack.tracked import SECOND, Tracked

HOSTS = [("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")]


@pytest.mark.parametrize("hosts", HOSTS, ids=["v4", "v6"])
@pytest.mark.parametrize("protocol", [50, 89, 2, 253])
def test_one_flow_for_all_packets_of_a_protocol_between_two_hosts(hosts, protocol):
    tracked = Tracked()
    assert tracked.says(ip(*hosts, protocol, b"one spi")) == "NEW original"
    assert tracked.says(ip(*hosts, protocol, b"another")) == "NEW original"
    assert tracked.says(ip(*reversed(hosts), protocol, b"back")) == "ESTABLISHED reply"
    assert tracked.table.count == 1
    assert tracked.says(ip(*hosts, 254, b"")) == "NEW original"


def test_every_packet_keeps_the_flow_alive_for_ten_minutes():
    tracked = Tracked()
    for _ in range(3):
        tracked.send(ip(*HOSTS[0], 50, bytes(8)))
        assert int(tracked.only()["deadline"]) - tracked.now == 600 * SECOND
        tracked.wait(599)
    tracked.wait(1)
    assert tracked.living() == []
