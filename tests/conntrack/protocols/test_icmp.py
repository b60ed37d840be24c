"""ICMP and ICMPv6 queries, and what is not tracked."""

from __future__ import annotations

import pytest

from tests.conntrack.segments import PAIR6, Pair
from tests.conntrack.tracked import Tracked

BOTH = pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])


@BOTH
def test_echo(pair: Pair):
    ask, answer = (128, 129) if ":" in pair.client.address else (8, 0)
    tracked = Tracked()
    assert tracked.says(pair.swapped().icmp(answer)) == "INVALID"
    assert tracked.says(pair.icmp(ask)) == "NEW original"
    assert tracked.says(pair.swapped().icmp(answer)) == "ESTABLISHED reply"
    assert tracked.says(pair.swapped().icmp(answer, ident=2)) == "INVALID"
    assert tracked.says(pair.swapped().icmp(ask)) == "NEW original"


def test_neighbour_discovery_is_not_tracked():
    assert Tracked().says(PAIR6.icmp(135)) == "UNTRACKED"
