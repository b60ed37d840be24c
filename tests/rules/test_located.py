"""Places of pieces of a text that goes on in other lines."""

from __future__ import annotations

import pytest

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Severity
from twinwall.rules.located import Break, Located, Mistake

# Ten characters stand from line 3, column 5 on; the text goes on in line 4, column 2, and in line 7, column 1.
TEXT = Located("0123456789abcdefghij", "p.rules", 3, 5, (Break(10, 4, 2), Break(15, 7, 1)))


@pytest.mark.parametrize(
    ("start", "end", "place"),
    [
        (0, 4, (3, 5, 4)),
        (8, 14, (3, 13, 2)),  # as far as the line goes
        (10, 12, (4, 2, 2)),
        (12, 99, (4, 4, 3)),
        (16, 18, (7, 2, 2)),
        (9, 9, (3, 14, 1)),  # of nothing, the place where it would stand
    ],
)
def test_a_piece_has_the_place_of_its_first_character(start: int, end: int, place: tuple[int, int, int]):
    span = TEXT.span(start, end)
    assert (span.file, (span.line, span.column, span.length)) == ("p.rules", place)


def test_a_mistake_in_a_value_becomes_one_of_the_file():
    found = Mistake(Code.BAD_VALUE, "no number", 1, 3, "write one").moved(10).at(TEXT)
    assert (found.severity, found.code, found.message, found.hint) == (Severity.ERROR, Code.BAD_VALUE, "no number", "write one")
    assert (found.span.line, found.span.column, found.span.length) == (4, 3, 2)
