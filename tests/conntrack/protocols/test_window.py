"""The window model: what fits, what is old, what nobody can have sent; each bound from both sides."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conntrack.segments import SACK_PERMITTED, WSCALE_7, Pair
from tests.conntrack.tracked import SECOND, Tracked
from twinwall.policy.model import Tracking

C = Pair()
S = C.swapped()
FITS, OUTSIDE = "ESTABLISHED original", "INVALID"


def opened(client_options=b"", server_options=b"", window=1000, base=(100, 500), **settings_) -> Tracked:
    """A connection after its handshake: the client is at 101, the server at 501 (or behind `base`)."""
    tracked = Tracked(Tracking(connections=10, **settings_))
    one, two = base
    tracked.send(C.tcp("S", one, options=client_options, window=window))
    tracked.send(S.tcp("SA", two, one + 1, options=server_options, window=window))
    assert tracked.says(C.tcp("A", one + 1, two + 1, window=window)) == FITS
    return tracked


@pytest.mark.parametrize(
    ("seq", "size", "label"),
    [
        (101, 1000, FITS),  # the whole window
        (1101, 0, FITS),
        (1101, 500, FITS),  # begins where the window ends: one window too much passes
        (1102, 998, FITS),
        (1102, 999, OUTSIDE),
        (2102, 0, OUTSIDE),
        (1, 100, FITS),  # old data
        (0xFFFFFF00, 0, FITS),
        (101 + (1 << 31), 0, OUTSIDE),
    ],
)
def test_data_fits_up_to_what_the_other_side_announced(seq, size, label):
    assert opened().says(C.tcp("A", seq, 501, size)) == label


@pytest.mark.parametrize(
    ("ack", "label"), [(501, FITS), (502, OUTSIDE), (100_000, OUTSIDE), (500, FITS), (501 - 66_001 & 0xFFFFFFFF, FITS)]
)
def test_nothing_is_acknowledged_before_it_was_sent(ack, label):
    assert opened().says(C.tcp("A", 101, ack)) == label


@pytest.mark.parametrize("flags", ["A", "FA"])
@pytest.mark.parametrize(("ack", "counts"), [(501 - 66_000, True), (501 - 66_001, False)])
def test_an_acknowledgement_too_old_passes_and_changes_nothing(flags, ack, counts):
    tracked = opened()
    tracked.wait(60)
    before = int(tracked.only()["deadline"])
    assert tracked.says(C.tcp(flags, 101, ack & 0xFFFFFFFF)) == FITS
    assert (int(tracked.only()["deadline"]) != before) == counts


@pytest.mark.parametrize("flags", ["A", "FA"])
@pytest.mark.parametrize(("seq", "counts"), [(101 - 1001, True), (101 - 1002, False)])
def test_data_too_old_passes_and_changes_nothing(flags, seq, counts):
    """Older than the largest window that the receiver has announced; a FIN counts as a byte."""
    tracked = opened()
    tracked.wait(60)
    before = int(tracked.only()["deadline"])
    assert tracked.says(C.tcp(flags, seq & 0xFFFFFFFF, 501, 0 if "F" in flags else 1)) == FITS
    assert (int(tracked.only()["deadline"]) != before) == counts


def test_what_passes_as_one_window_too_much_opens_nothing():
    tracked = opened()
    for _ in range(3):
        assert tracked.says(C.tcp("A", 1102, 501, 998)) == FITS
        assert tracked.says(C.tcp("A", 3500, 501)) == OUTSIDE


def test_a_larger_window_opens_more():
    tracked = opened()
    tracked.send(S.tcp("A", 501, 101, window=60000))
    assert tracked.says(C.tcp("A", 60101, 501)) == FITS
    assert tracked.says(C.tcp("A", 60101 + 60001, 501)) == OUTSIDE


@pytest.mark.parametrize(("client", "server", "factor"), [(WSCALE_7, WSCALE_7, 128), (WSCALE_7, b"", 1), (b"", WSCALE_7, 1)])
def test_windows_scale_where_both_sides_offered_it(client, server, factor):
    tracked = opened(client, server)
    tracked.send(S.tcp("A", 501, 101, window=1000))
    assert tracked.says(C.tcp("A", 101 + 1000 * factor, 501)) == FITS
    assert opened(client, server).says(C.tcp("A", 101 + 2000 * factor + 10, 501)) == OUTSIDE


def test_the_windows_of_syns_are_never_scaled():
    assert opened(WSCALE_7, WSCALE_7).says(C.tcp("A", 2200, 501)) == OUTSIDE


@pytest.mark.parametrize(
    ("options", "edge", "label"), [(SACK_PERMITTED, 501, FITS), (SACK_PERMITTED, 502, OUTSIDE), (b"", 502, FITS)]
)
def test_selective_acknowledgements_count_where_they_were_agreed(options, edge, label):
    sack = b"\x01\x01\x05\x0a" + struct.pack("!II", 500, edge)
    assert opened(options, options).says(C.tcp("A", 101, 501, options=sack)) == label


@pytest.mark.parametrize(("seq", "ack"), [(900_000, 501), (101, 900_000), (101 + (1 << 31), 501)])
def test_liberal_tracking_lets_everything_pass(seq, ack):
    assert opened().says(C.tcp("A", seq, ack)) == OUTSIDE
    assert opened(tcp_be_liberal=True).says(C.tcp("A", seq, ack)) == FITS


def test_a_start_that_was_not_seen_is_tracked_liberally():
    tracked = Tracked()
    assert tracked.says(C.tcp("A", 101, 501)) == "NEW original"
    assert tracked.says(S.tcp("A", 501, 101)) == "ESTABLISHED reply"
    assert tracked.says(C.tcp("A", 5_000_000, 501)) == FITS


def test_a_window_of_zero_allows_a_probe():
    tracked = opened()
    tracked.send(S.tcp("A", 501, 101, window=0))
    assert tracked.says(C.tcp("A", 101, 501, 1)) == FITS
    assert int(tracked.only()["deadline"]) - tracked.now == 300 * SECOND


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF)),
    st.lists(st.tuples(st.booleans(), st.integers(-3000, 3000), st.integers(-3000, 3000), st.integers(0, 1500)), max_size=12),
)
def test_only_distances_between_numbers_count(base, segments):
    """The same conversation elsewhere in the number space, wraps included, gets the same labels."""
    labels = []
    for one, two in ((100_000, 500_000), base):
        tracked = opened(base=(one, two))
        said = []
        for client, ahead, acked, size in segments:
            mine, theirs = (one, two) if client else (two, one)
            numbers = ((mine + 1 + ahead) & 0xFFFFFFFF, (theirs + 1 + acked) & 0xFFFFFFFF)
            said.append(tracked.says((C if client else S).tcp("A", *numbers, size)))
        labels.append(said)
    assert labels[0] == labels[1]
