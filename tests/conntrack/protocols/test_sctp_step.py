"""SCTP associations; the kernel's view of many more is in test_kernel."""

from __future__ import annotations

from tests.conntrack.segments import Pair, chunk, init_chunk
from tests.conntrack.tracked import Tracked
from twinwall.conntrack.entry import ST_ASSURED

C = Pair()
S = C.swapped()


def test_sctp_association():
    tracked = Tracked()
    steps = [
        (C, 0, init_chunk(1, 11), "NEW original"),
        (S, 11, init_chunk(2, 22), "ESTABLISHED reply"),
        (C, 22, chunk(10, 0, b"cook"), "ESTABLISHED original"),
        (S, 11, chunk(11), "ESTABLISHED reply"),
        (C, 22, chunk(0, 3, bytes(16)), "ESTABLISHED original"),
        (C, 99, chunk(0, 3, bytes(16)), "INVALID"),
    ]
    for sender, tag, body, label in steps:
        assert tracked.says(sender.sctp(tag, body)) == label
    assert tracked.only()["status"] & ST_ASSURED


def test_sctp_data_first_leaves_nothing_behind():
    tracked = Tracked()
    assert tracked.says(C.sctp(1, chunk(0, 3, bytes(16)))) == "INVALID"
    assert tracked.table.count == 0
    assert len(tracked.table.drain_ended()) == 0
