"""ICMP errors: RELATED to the flow they are about, INVALID otherwise."""

from __future__ import annotations

import pytest

from tests.conntrack.segments import PAIR6, End, Pair, icmp, ip
from tests.conntrack.tracked import Tracked
from twinwall.path.flow_state import (
    TRACK_QUOTE,
    TRACK_TO_CLIENT,
)

BOTH = pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])


@BOTH
def test_icmp_error_is_related_to_the_packet_it_quotes(pair: Pair):
    six = ":" in pair.client.address
    error, proto = (1, 58) if six else (3, 1)
    router = "2001:db8::ff" if six else "192.0.2.254"
    tracked = Tracked()
    flow = tracked.send(pair.udp())
    quoted = icmp(error, 1, 0, 0, pair.udp())
    answer = tracked.send(ip(router, pair.client.address, proto, quoted))
    assert str(answer) == "RELATED reply"
    assert answer.index == flow.index
    assert answer.marks == TRACK_QUOTE | TRACK_TO_CLIENT
    # To anybody but the quoted packet's sender, or about a packet nobody sent, it is a forgery.
    assert tracked.says(ip(router, pair.server.address, proto, quoted)) == "INVALID"
    other = pair._replace(server=End(pair.server.address, 5))
    assert tracked.says(ip(router, pair.client.address, proto, icmp(error, 1, 0, 0, other.udp()))) == "INVALID"
    assert tracked.only()["o_packets"] == 1


def redirect(hops: int, source: str, option: int = 4) -> bytes:
    body = bytes(32) + bytes([option, 1, 0, 0, 0, 0, 0, 0]) + PAIR6.udp()
    return ip(source, PAIR6.client.address, 58, icmp(137, 0, 0, 0, body), ttl=hops)


def test_ipv6_redirect_counts_only_from_the_link():
    tracked = Tracked()
    tracked.send(PAIR6.udp())
    assert tracked.says(redirect(255, "fe80::1")) == "RELATED reply"
    assert tracked.says(redirect(254, "fe80::1")) == "INVALID"
    assert tracked.says(redirect(255, "2001:db8::1")) == "INVALID"
    assert tracked.says(redirect(255, "fe80::1", option=1)) == "INVALID"
