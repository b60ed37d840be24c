"""Where a piece's bytes go, and whose they are."""

from __future__ import annotations

import pytest

from tests.stream.dialogue import Dialogue, Piece, outcomes
from twinwall.policy.model import Overlap


def test_a_run_goes_on_only_at_the_far_end():
    a, b, c = Piece(0, b"a" * 8), Piece(16, b"c" * 8), Piece(8, b"b" * 8)
    # b fills the gap, so a, b and c stay three runs; a piece over two of them is an overlap.
    assert outcomes(Dialogue(), a, b, c, Piece(0, b"x" * 16)) == ["HELD", "HELD", "HELD", "OVERLAP"]
    assert outcomes(Dialogue(), a, c, b, Piece(0, b"x" * 24)) == ["HELD", "HELD", "HELD", "DUPLICATE"]


def test_a_piece_that_begins_a_datagram_s_far_end_anew_begins_a_run():
    a, gap = Piece(0, b"a" * 8), Piece(24, b"b" * 8)
    assert outcomes(Dialogue(), a, gap, Piece(32, b"c" * 8), Piece(24, b"x" * 16)) == ["HELD", "HELD", "HELD", "DUPLICATE"]


@pytest.mark.parametrize("overlap", [each for each in Overlap if each is not Overlap.DISCARD])
def test_filled_bytes_count_once_however_often_they_come(overlap):
    talk = Dialogue(overlap)
    for _ in range(3):
        talk.say(Piece(0, b"a" * 16))
    assert talk.say(Piece(32, b"c" * 3, more=False)).outcome == "HELD"
    answer = talk.say(Piece(8, b"b" * 24))
    assert answer.outcome == "COMPLETE"
    assert len(answer.datagram) == 20 + 35


def test_cut_bytes_that_lose_leave_what_was_there():
    talk = Dialogue(Overlap.FIRST)
    talk.say(Piece(0, b"a" * 16))
    talk.say(Piece(8, b"b" * 16), captured=20 + 4)
    answer = talk.say(Piece(24, b"c", more=False))
    assert answer.datagram[20:] == b"a" * 16 + b"\0" * 8 + b"c"
