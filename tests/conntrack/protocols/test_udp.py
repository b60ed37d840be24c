"""UDP and UDP-Lite: one question with its answer is no stream."""

from __future__ import annotations

import pytest

from tests.conntrack.segments import PAIR6, Pair
from tests.conntrack.tracked import SECOND, Tracked
from twinwall.conntrack.entry import ST_ASSURED

BOTH = pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])


@BOTH
def test_udp_becomes_a_stream_after_two_seconds_of_talk(pair: Pair):
    tracked = Tracked()
    assert tracked.says(pair.udp()) == "NEW original"
    assert tracked.says(pair.udp()) == "NEW original"
    assert tracked.says(pair.swapped().udp()) == "ESTABLISHED reply"
    tracked.wait(2)
    tracked.send(pair.udp())
    assert int(tracked.only()["deadline"]) - tracked.now == 30 * SECOND
    tracked.wait(0.001)
    tracked.send(pair.udp())
    assert int(tracked.only()["deadline"]) - tracked.now == 120 * SECOND
    assert tracked.only()["status"] & ST_ASSURED
