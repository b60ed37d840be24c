"""The tracker as its users see it: labels, marks, directions, records, and what a dropped first packet leaves behind."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conntrack.segments import PAIR6, Pair, init_chunk, ip
from tests.conntrack.tracked import SECOND, Tracked
from twinwall.conntrack.entry import END_REPLACED, END_RESET, END_TIMEOUT
from twinwall.path.flow_state import (
    TRACK_FRESH,
    TRACK_MIDSTREAM,
    TRACK_TO_CLIENT,
)

C = Pair()
S = C.swapped()
BOTH = pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])


@pytest.mark.parametrize(("flags", "mark"), [("A", 1), ("FA", 1), ("SA", 1), ("S", 0), ("R", 0), ("RA", 0), ("F", 0)])
def test_midstream_mark(flags: str, mark: int):
    answer = Tracked().send(C.tcp(flags, 1, 1))
    assert answer.marks & TRACK_MIDSTREAM == mark * TRACK_MIDSTREAM


def test_dropped_first_packet_leaves_the_flow_but_no_connection():
    tracked = Tracked()
    first = tracked.send(C.tcp("S", 1), dropped=True)
    again = tracked.send(C.tcp("S", 1), dropped=True)
    assert str(again) == "NEW original"
    assert again.index == first.index
    assert again.marks & TRACK_FRESH
    assert tracked.says(S.tcp("SA", 1, 2)) == "INVALID"  # for Linux there is nothing to answer
    assert tracked.only()["o_packets"] == 2
    assert tracked.only()["r_packets"] == 1
    tracked.send(C.tcp("S", 1))
    assert tracked.says(S.tcp("SA", 1, 2)) == "ESTABLISHED reply"


def test_answer_to_a_dropped_packet_is_new_for_linux_and_to_the_client_for_rules():
    tracked = Tracked()
    first = tracked.send(C.udp(), dropped=True)
    answer = tracked.send(S.udp())
    assert str(answer) == "NEW original"
    assert answer.index == first.index
    assert answer.marks & TRACK_TO_CLIENT
    onward = tracked.send(C.udp())
    assert str(onward) == "ESTABLISHED reply"
    assert not onward.marks & TRACK_TO_CLIENT


def test_why_flows_end():
    tracked = Tracked()
    tracked.send(C.tcp("S", 1))
    tracked.send(S.tcp("RA", 0, 2))  # refused
    tracked.send(C.tcp("S", 1))
    tracked.send(C.tcp("R", 2))  # given up
    tracked.send(C.tcp("S", 1))
    tracked.wait(120)
    tracked.send(C.tcp("S", 1))  # timed out
    tracked.send(S.tcp("SA", 1, 2))
    tracked.send(C.tcp("FA", 2, 2))
    tracked.send(S.tcp("FA", 2, 3))
    tracked.send(C.tcp("A", 3, 3))
    tracked.send(C.tcp("S", 70000))  # ports used again
    reasons = [int(each) for each in tracked.table.drain_ended()["end_reason"]]
    assert reasons == [END_RESET, END_RESET, END_TIMEOUT, END_REPLACED]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1000, 29), min_size=1, max_size=20))
def test_time_running_backwards_neither_expires_nor_revives(waits: list[float]):
    """However the clock jumps back, a flow lives until 30 seconds after the latest packet it has seen."""
    tracked = Tracked()
    latest = tracked.now
    index = tracked.send(C.udp()).index
    for wait in waits:
        tracked.wait(min(wait, (latest - tracked.now) / SECOND + 29))
        latest = max(latest, tracked.now)
        assert tracked.send(C.udp()).index == index
    tracked.now = latest + 30 * SECOND
    assert tracked.sweep() == 1
    tracked.now = latest
    assert tracked.send(C.udp()).marks & TRACK_FRESH


@pytest.mark.parametrize("packet", [C.udp(), C.icmp(8), ip("10.0.0.1", "10.0.0.2", 47, bytes(24))])
def test_later_fragment_has_no_tuple(packet: bytes):
    pieces = bytearray(packet)
    pieces[6:8] = b"\0\x01"
    assert Tracked().says(bytes(pieces)) == "INVALID"


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=20, max_size=120), st.sampled_from([4, 6]), st.sampled_from([1, 6, 17, 47, 58, 132, 136, 50]))
def test_any_bytes_stay_within_bounds(data: bytes, version: int, protocol: int):
    """The checked memory raises IndexError where compiled code would read its neighbour."""
    tracked = Tracked()
    for known in (C.udp(), C.sctp(0, init_chunk(1, 1))):
        tracked.send(known)
    pair = C if version == 4 else PAIR6
    for sender in (pair, pair.swapped()):
        assert str(tracked.send(ip(sender.client.address, sender.server.address, protocol, data)))
