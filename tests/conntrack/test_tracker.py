"""The tracker as its users see it: labels, marks, directions, records, and what a dropped first packet leaves behind."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conntrack.segments import PAIR6, End, Pair, chunk, icmp, init_chunk, ip, udp
from tests.conntrack.tracked import EPOCH, SECOND, Tracked
from twinwall.conntrack.entry import END_REPLACED, END_RESET, END_TIMEOUT, ST_ASSURED
from twinwall.path.flow_state import (
    TRACK_ESTABLISHED,
    TRACK_FRESH,
    TRACK_MIDSTREAM,
    TRACK_QUOTE,
    TRACK_TO_CLIENT,
)

C = Pair()
S = C.swapped()
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


def test_quoted_extension_headers_are_followed():
    tracked = Tracked()
    tracked.send(PAIR6.udp())
    inner = bytes([17, 0]) + bytes(6) + udp(PAIR6.client.port, PAIR6.server.port)
    quoted = ip(PAIR6.client.address, PAIR6.server.address, 60, inner)
    assert tracked.says(ip("2001:db8::ff", PAIR6.client.address, 58, icmp(1, 0, 0, 0, quoted))) == "RELATED reply"


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


def test_gre_calls_of_two_hosts_are_apart():
    tracked = Tracked()
    hosts = ("10.0.0.1", "10.0.0.2")
    call = b"\x30\x01\x88\x0b\0\0\0%c" + bytes(8)
    first = tracked.send(ip(*hosts, 47, call % 7))
    second = tracked.send(ip(*hosts, 47, call % 8))
    assert first.index != second.index
    assert tracked.says(ip(*reversed(hosts), 47, b"\0\0\x08\0" + bytes(20))) == "NEW original"


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
