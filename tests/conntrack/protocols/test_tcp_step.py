"""The rules around the TCP table: resets, repeated segments, lifetimes, reopening, and getting back into step."""

from __future__ import annotations

import pytest

from tests.conntrack.segments import Pair
from tests.conntrack.tracked import Tracked
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.policy.model import Timeout, Tracking

C = Pair()
S = C.swapped()
DAY = 86_400


def opened(**tracking) -> Tracked:
    """After the handshake and one exchange: the client is at 111, the server at 521."""
    tracked = Tracked(Tracking(connections=10, **tracking))
    for packet in (C.tcp("S", 100), S.tcp("SA", 500, 101), C.tcp("A", 101, 501), C.tcp("PA", 101, 501, 10),
                   S.tcp("PA", 501, 111, 20), C.tcp("A", 111, 521)):  # fmt: skip
        assert tracked.says(packet) != "INVALID"
    assert tracked.listed() == ("ESTABLISHED", 5 * DAY, "ASSURED")
    return tracked


def state(tracked):
    return tracked.listed()[:2]


@pytest.mark.parametrize(
    ("seq", "label", "after"),
    [
        (521, "ESTABLISHED reply", ("CLOSE", 10)),
        (520, "INVALID", ("ESTABLISHED", 5 * DAY)),  # before what the client has acknowledged
        (600, "ESTABLISHED reply", ("ESTABLISHED", 10)),  # in the window, but not the number an endpoint believes
        (900_000, "INVALID", ("ESTABLISHED", 5 * DAY)),
    ],
)
def test_a_reset_must_have_the_exact_number(seq, label, after):
    tracked = opened()
    assert tracked.says(S.tcp("R", seq)) == label
    assert state(tracked) == after


def test_the_next_packet_refreshes_what_an_inexact_reset_shortened():
    tracked = opened()
    tracked.send(S.tcp("R", 600))
    assert state(tracked) == ("ESTABLISHED", 10)
    tracked.wait(9)
    tracked.send(C.tcp("PA", 111, 521, 5))
    assert state(tracked) == ("ESTABLISHED", 300)  # nobody has acknowledged the reset's number


def test_an_impossible_reset_counts_where_the_setting_says_so():
    tracked = opened(tcp_ignore_invalid_rst=True)
    assert tracked.says(S.tcp("R", 520)) == "ESTABLISHED reply"


@pytest.mark.parametrize("answer", [S.tcp("RA", 0, 101), S.tcp("R", 0, 101)])
def test_a_refused_syn_ends_with_the_reset(answer):
    tracked = Tracked()
    tracked.send(C.tcp("S", 100))
    assert tracked.says(answer) == "ESTABLISHED reply"
    assert tracked.living() == []


def test_a_repeated_syn_does_not_keep_an_entry_alive():
    tracked = Tracked()
    for _ in range(3):
        assert tracked.says(C.tcp("S", 100)) == "NEW original"
        tracked.wait(40)
    assert tracked.living() == []


def test_unacknowledged_data_shortens_the_life_and_its_acknowledgement_restores_it():
    tracked = opened()
    tracked.send(C.tcp("PA", 111, 521, 10))
    assert state(tracked) == ("ESTABLISHED", 300)
    tracked.send(S.tcp("A", 521, 121))
    assert state(tracked) == ("ESTABLISHED", 5 * DAY)


@pytest.mark.parametrize("limit", [2, 3])
def test_an_acknowledgement_that_repeats_too_often_is_a_dead_peer(limit):
    names = ((Timeout.TCP_MAX_RETRANS, 77),)
    tracked = opened(tcp_max_retrans=limit, timeouts=names)
    lives = []
    for _ in range(limit + 1):
        tracked.send(C.tcp("A", 111, 521))
        lives.append(state(tracked)[1])
    assert lives == [5 * DAY] * (limit - 1) + [77, 77]


def test_an_ordinary_close():
    tracked = opened()
    steps = [
        (C.tcp("FA", 111, 521), ("FIN_WAIT", 120)),
        (S.tcp("A", 521, 112), ("CLOSE_WAIT", 60)),
        (S.tcp("FA", 521, 112), ("LAST_ACK", 30)),
        (C.tcp("A", 112, 522), ("TIME_WAIT", 120)),
    ]
    for packet, after in steps:
        tracked.send(packet)
        assert state(tracked) == after


def closed() -> Tracked:
    tracked = opened()
    for packet in (C.tcp("FA", 111, 521), S.tcp("FA", 521, 112), C.tcp("A", 112, 522)):
        tracked.send(packet)
    assert tracked.listed()[0] == "TIME_WAIT"
    return tracked


@pytest.mark.parametrize(("sender", "label"), [(C, "NEW original"), (S, "NEW original")])
def test_ports_are_used_again_after_a_close(sender, label):
    tracked = closed()
    flow = int(tracked.only()["flow_id"])
    assert tracked.says(sender.tcp("S", 70_000)) == label
    assert int(tracked.only()["flow_id"]) != flow
    assert tracked.listed() == ("SYN_SENT", 120, "UNREPLIED")


def test_a_syn_into_a_live_connection_passes_and_the_answer_shows_who_is_right():
    tracked = opened()
    assert tracked.says(C.tcp("S", 9000)) == "ESTABLISHED original"
    assert tracked.listed()[0] == "ESTABLISHED"
    assert tracked.says(S.tcp("A", 521, 111)) == "ESTABLISHED reply"  # a challenge: the old connection lives
    assert tracked.listed()[0] == "ESTABLISHED"
    assert tracked.says(C.tcp("S", 9000)) == "ESTABLISHED original"
    assert tracked.says(S.tcp("SA", 7000, 9001)) == "ESTABLISHED reply"  # an answer: the client had begun anew
    assert tracked.listed()[0] == "SYN_RECV"
    assert tracked.says(C.tcp("A", 9001, 7001)) == "ESTABLISHED original"
    assert tracked.says(C.tcp("PA", 9001, 7001, 100)) == "ESTABLISHED original"


def test_a_syn_ack_that_answers_another_syn_changes_nothing():
    tracked = opened()
    tracked.send(C.tcp("S", 9000))
    assert tracked.says(S.tcp("SA", 7000, 9002)) == "ESTABLISHED reply"
    assert tracked.listed()[0] == "ESTABLISHED"


def test_a_challenge_is_not_taken_for_the_acknowledgement_of_the_last_fin():
    tracked = opened()
    tracked.send(C.tcp("FA", 111, 521))
    tracked.send(S.tcp("FA", 521, 112))
    assert tracked.listed()[0] == "LAST_ACK"
    tracked.send(C.tcp("S", 9000))
    tracked.send(S.tcp("A", 522, 112))
    assert tracked.listed()[0] == "LAST_ACK"
    tracked.send(C.tcp("A", 112, 522))
    assert tracked.listed()[0] == "TIME_WAIT"


@pytest.mark.parametrize(
    "last",
    [
        [(S.tcp("SA", 500, 101), "SYN_RECV"), (C.tcp("A", 101, 501), "ESTABLISHED")],
        [(S.tcp("A", 501, 101), "ESTABLISHED")],  # after one SYN alone, the server's ACK would prove nothing
    ],
)
def test_both_sides_may_open_at_once(last):
    tracked = Tracked()
    first = [(C.tcp("S", 100), "SYN_SENT"), (S.tcp("S", 500), "SYN_SENT2"), (C.tcp("SA", 100, 501), "SYN_RECV")]
    for packet, name in first + last:
        assert tracked.says(packet) != "INVALID"
        assert TcpState(tracked.only()["state"]).name == name


def test_the_server_may_send_before_the_handshake_s_last_segment_reached_us():
    tracked = Tracked()
    for packet in (C.tcp("S", 100), S.tcp("SA", 500, 101), S.tcp("PA", 501, 101, 20)):
        assert tracked.says(packet) != "INVALID"
    assert tracked.listed()[0] == "SYN_RECV"


def test_fins_outside_the_window_from_both_sides_end_a_connection_sooner():
    tracked = opened()
    assert tracked.says(C.tcp("FA", 900_000, 521)) == "INVALID"
    assert state(tracked) == ("ESTABLISHED", 5 * DAY)
    assert tracked.says(S.tcp("FA", 900_000, 111)) == "INVALID"
    assert state(tracked) == ("ESTABLISHED", 300)


@pytest.mark.parametrize("flags", ["", "F", "SF", "SR", "FR", "SAU", "U"])
def test_flags_that_no_stack_sends_are_invalid_and_change_nothing(flags):
    tracked = opened()
    tracked.wait(10)
    assert tracked.says(C.tcp(flags, 111, 521)) == "INVALID"
    assert state(tracked) == ("ESTABLISHED", 5 * DAY - 10)


def test_a_connection_whose_start_was_not_seen_is_not_kept_for_days_before_an_answer():
    tracked = Tracked()
    tracked.send(C.tcp("PA", 101, 501, 10))
    assert tracked.listed() == ("ESTABLISHED", 300, "UNREPLIED")
    tracked.send(S.tcp("A", 501, 111))
    tracked.send(C.tcp("A", 111, 501))
    assert tracked.listed() == ("ESTABLISHED", 5 * DAY, "ASSURED")
