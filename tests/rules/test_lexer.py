"""Lines, header fields and options, each with its place."""

from __future__ import annotations

import pytest

from twinwall.rules.lexer import logical_lines, options, read_header
from twinwall.rules.located import Mistake


def test_comments_and_blank_lines_are_no_rules():
    assert [(line.text, line.line, line.column) for line in logical_lines("\n# a\n  b \n\n\tc#d", "f")] == [
        ("b", 3, 3),
        ("c#d", 5, 2),
    ]


def test_a_backslash_joins_lines_and_places_survive():
    (line,) = logical_lines("one \\\n   two \\\n# three", "f")
    assert line.text == "one  two  # three"
    assert [
        (line.span(line.text.index(word), 99).line, line.span(line.text.index(word), 99).column)
        for word in ("one", "two", "three")
    ] == [
        (1, 1),
        (2, 4),
        (3, 3),
    ]


def test_a_backslash_at_the_end_of_the_file_joins_nothing():
    assert [line.text for line in logical_lines("a\\", "f")] == ["a"]


def test_lists_with_spaces_are_one_field():
    text = "pass tcp [10.0.0.1, 10.0.0.2] ! 80 -> any [1, 2](sid:1;)"
    header = read_header(text)
    assert header.words == ("pass", "tcp", "[10.0.0.1, 10.0.0.2]", "! 80", "->", "any", "[1, 2]")
    assert header.options == len("pass tcp [10.0.0.1, 10.0.0.2] ! 80 -> any [1, 2](")


@pytest.mark.parametrize("address", ["10.0.0.1", "[10.0.0.1,!10.0.0.2]", "![10.0.0.1]", "[10.0.0.1, 10.0.0.2]", "! 10.0.0.1"])
def test_every_word_of_a_header_knows_its_place(address):
    text = f"drop udp {address} any <>  any [1,2] (sid:1;)"
    header = read_header(text)
    fields = [header.field(number) for number in range(7)]
    assert [field.text for field in fields] == ["drop", "udp", address, "any", "<>", "any", "[1,2]"]
    assert [text[field.start : field.end] for field in fields] == list(header.words)
    assert text[header.options :] == "sid:1;)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pass",
        "pass tcp any any -> any any any (",
        "pass tcp [any any -> any any (sid:1;)",
        "(",
        "pass tcp ! [a] -> any any (sid:1;)",
        "pass tcp ! a -> any any (sid:1;)",
    ],
)
def test_a_header_of_another_shape_is_a_mistake(text):
    with pytest.raises(Mistake):
        read_header(text or " ")


def test_options_carry_their_places():
    text = '(a; b : c\\;d ;e:"f)g";)'
    assert list(options(text, 1)) == [("a", 1, None, 2), ("b", 4, " c\\;d ", 7), ("e", 14, '"f)g"', 16)]


@pytest.mark.parametrize("text", ["(a:b)", "(a;", "(;)", "(:b;)", "(a;) b", '(a:"b;c";)', "(a;)b)c"])
def test_options_that_end_badly_are_a_mistake(text):
    with pytest.raises(Mistake):
        list(options(text, 1))
