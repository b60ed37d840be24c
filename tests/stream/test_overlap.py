"""The overlap rules against Novak's published outcomes, against an independent reading of each, and in two-piece examples."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.dialogue import Dialogue, Piece
from twinwall.policy.model import Overlap

# Novak 2005, figures 2 and 3 (the sequence is Paxson and Shankar's): unit, units, last; six pieces filled with their number.
SEQUENCE = ((0, 3), (4, 2), (6, 3), (1, 4), (6, 3), (9, 3))
PUBLISHED = {
    Overlap.FIRST: "111422333666",
    Overlap.LAST: "144442555666",
    Overlap.BSD: "111442333666",
    Overlap.BSD_RIGHT: "144422555666",
    Overlap.LINUX: "111442555666",
    Overlap.WINDOWS: "111422333666",
    Overlap.SOLARIS: "111422333666",
}

# The rules once more, in Novak's words: does the new piece's data replace the original's?
Interval = tuple[int, int]
WORDS: dict[Overlap, Callable[[Interval, Interval], bool]] = {
    Overlap.FIRST: lambda new, old: False,
    Overlap.LAST: lambda new, old: True,
    Overlap.BSD: lambda new, old: not old[0] <= new[0],
    Overlap.BSD_RIGHT: lambda new, old: not old[0] > new[0],
    Overlap.LINUX: lambda new, old: not old[0] < new[0],
    Overlap.WINDOWS: lambda new, old: new[0] < old[0] and old[1] < new[1],
    Overlap.SOLARIS: lambda new, old: new[0] < old[0] and old[1] <= new[1],
}


def interpret(overlap: Overlap, pieces: list[Piece]) -> bytes:
    """The payload as the rule's words have it, byte by byte."""
    owner: dict[int, tuple[Interval, int]] = {}
    for piece in pieces:
        new = (piece.start, piece.start + len(piece.data))
        for at in range(*new):
            if at not in owner or WORDS[overlap](new, owner[at][0]):
                owner[at] = (new, piece.data[at - piece.start])
    return bytes(owner[at][1] for at in sorted(owner))


@pytest.mark.parametrize("overlap", PUBLISHED)
def test_the_published_sequence_has_the_published_outcome(overlap):
    talk = Dialogue(overlap)
    for number, (unit, units) in enumerate(SEQUENCE, 1):
        answer = talk.say(Piece(8 * unit, str(number).encode() * 8 * units, more=number < 6))
    assert answer.datagram[20::8].decode() == PUBLISHED[overlap]


def test_discard_refuses_the_published_sequence():
    talk = Dialogue(Overlap.DISCARD)
    answers = [
        talk.say(Piece(8 * unit, str(number).encode() * 8 * units, number < 6)).outcome
        for number, (unit, units) in enumerate(SEQUENCE, 1)
    ]
    assert answers == ["HELD", "HELD", "HELD", "OVERLAP", "HELD", "HELD"]


@st.composite
def overlapping(draw) -> list[Piece]:
    """Pieces in any order, of which some overlap, with the last one at the end; together they leave no hole."""
    units = draw(st.integers(min_value=2, max_value=8))
    places = draw(
        st.lists(st.tuples(st.integers(0, units - 1), st.integers(1, units)), min_size=1, max_size=8).map(
            lambda found: [(start, min(length, units - start)) for start, length in found]
        )
    )
    tail = draw(st.integers(min_value=1, max_value=8))
    everything = [*places, (0, units), (units, 0)]
    order = draw(st.permutations(everything))
    pieces = []
    for number, (start, length) in enumerate(order):
        fill = bytes([65 + number])
        if (start, length) == (units, 0):
            pieces.append(Piece(8 * start, fill * tail, more=False))
        else:
            pieces.append(Piece(8 * start, fill * 8 * length))
    return pieces


@pytest.mark.parametrize("overlap", WORDS)
@settings(max_examples=60, deadline=None)
@given(pieces=overlapping())
def test_every_byte_is_whose_the_rule_says(overlap, pieces):
    talk = Dialogue(overlap)
    for count, piece in enumerate(pieces, 1):
        answer = talk.say(piece)
        if answer.outcome == "COMPLETE":
            assert answer.datagram[20:] == interpret(overlap, pieces[:count])
            return
        assert answer.outcome in {"HELD", "DUPLICATE"}
    pytest.fail("the datagram was never complete")


def test_a_piece_that_wins_nothing_is_a_repetition():
    talk = Dialogue(Overlap.FIRST)
    talk.say(Piece(0, b"a" * 16))
    assert talk.say(Piece(8, b"b" * 8)).outcome == "DUPLICATE"


def test_a_last_piece_that_wins_nothing_still_tells_the_end():
    talk = Dialogue(Overlap.FIRST)
    talk.say(Piece(0, b"a" * 16))
    answer = talk.say(Piece(8, b"b" * 8, more=False))
    assert (answer.outcome, answer.packets, answer.datagram[20:]) == ("COMPLETE", (1, 2), b"a" * 16)


def test_the_header_comes_from_the_piece_whose_first_unit_stays():
    for overlap, tos in ((Overlap.FIRST, 4), (Overlap.LAST, 8)):
        talk = Dialogue(overlap)
        talk.say(Piece(0, b"a" * 8, tos=4))
        talk.say(Piece(0, b"b" * 16, tos=8))
        assert talk.say(Piece(16, b"c", more=False)).datagram[1] == tos
