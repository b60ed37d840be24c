"""What a machine answers, as it shows in the tracker's word."""

from __future__ import annotations

from tests.conntrack.segments import Pair
from tests.conntrack.tracked import Tracked
from twinwall.conntrack.protocols.outcome import PASSED, REFUSED, REOPENED

C = Pair()
S = C.swapped()


def closed() -> Tracked:
    """A connection that both sides have closed."""
    tracked = Tracked()
    for packet in (C.tcp("S", 1), S.tcp("SA", 1, 2), C.tcp("A", 2, 2), C.tcp("FA", 2, 2), S.tcp("FA", 2, 3), C.tcp("A", 3, 3)):
        assert tracked.says(packet) != "INVALID"
    return tracked


def test_answers_are_told_apart():
    assert len({PASSED, REFUSED, REOPENED}) == 3


def test_a_packet_that_passed_belongs_to_its_flow():
    tracked = closed()
    flow = int(tracked.only()["flow_id"])
    assert tracked.says(S.tcp("FA", 2, 3)) == "ESTABLISHED reply"
    assert tracked.only()["flow_id"] == flow


def test_a_refused_packet_is_invalid_and_yet_counted_for_the_flow_whose_tuple_it_has():
    tracked = closed()
    index = tracked.send(C.tcp("A", 3, 3)).index
    before = int(tracked.only()["o_packets"])
    answer = tracked.send(C.tcp("SA", 3, 3))
    assert (str(answer), answer.index) == ("INVALID", index)
    assert tracked.only()["o_packets"] == before + 1


def test_a_packet_that_reopens_is_a_new_flow_s_first():
    tracked = closed()
    flow = int(tracked.only()["flow_id"])
    assert tracked.says(C.tcp("S", 90000)) == "NEW original"
    assert int(tracked.only()["flow_id"]) != flow
    assert (tracked.only()["o_packets"], tracked.only()["r_packets"]) == (1, 0)
