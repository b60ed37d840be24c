"""What is kept about a flow."""

from __future__ import annotations

from tests.conntrack.segments import Pair
from tests.conntrack.tracked import EPOCH, SECOND, Tracked

C = Pair()
S = C.swapped()


def test_record_of_a_flow():
    tracked = Tracked()
    tracked.send(C.tcp("S", 1, ttl=64))
    tracked.wait(1)
    tracked.send(S.tcp("SA", 1, 2, ttl=50))
    tracked.wait(1)
    tracked.send(C.tcp("PA", 2, 2, 100, ttl=63))
    entry = tracked.only()
    assert (entry["o_packets"], entry["o_bytes"], entry["r_packets"], entry["r_bytes"]) == (2, 180, 1, 40)
    assert (entry["o_flags"], entry["r_flags"]) == (2 | 24, 18)
    assert (entry["o_min_ttl"], entry["o_max_ttl"], entry["r_min_ttl"], entry["r_max_ttl"]) == (63, 64, 50, 50)
    assert (entry["start"], entry["last_seen"]) == (EPOCH, EPOCH + 2 * SECOND)
    assert (entry["o_start"], entry["r_start"]) == (EPOCH, EPOCH + SECOND)
