"""The rule language's notion of established."""

from __future__ import annotations

import pytest

from tests.conntrack.segments import PAIR6, End, Pair
from tests.conntrack.tracked import Tracked
from twinwall.path.flow_state import (
    TRACK_ESTABLISHED,
)

C = Pair()
S = C.swapped()
BOTH = pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])


@BOTH
def test_established_as_rules_mean_it(pair: Pair):
    """SYN, SYN-ACK and the bare third ACK are not; a third ACK with data is; a UDP request is not, its answer is."""
    other = pair._replace(client=End(pair.client.address, 5))
    tracked = Tracked()
    packets = [
        (pair.tcp("S", 1), 0),
        (pair.swapped().tcp("SA", 1, 2), 0),
        (pair.tcp("A", 2, 2), 0),
        (pair.tcp("PA", 2, 2, 5), TRACK_ESTABLISHED),
        (other.tcp("S", 1), 0),
        (other.swapped().tcp("SA", 1, 2), 0),
        (other.tcp("PA", 2, 2, 5), TRACK_ESTABLISHED),
        (pair.udp(), 0),
        (pair.udp(), 0),
        (pair.swapped().udp(), TRACK_ESTABLISHED),
        (pair.udp(), TRACK_ESTABLISHED),
    ]
    assert [tracked.send(packet).marks & TRACK_ESTABLISHED for packet, _ in packets] == [mark for _, mark in packets]
