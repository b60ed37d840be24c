from __future__ import annotations

from enum import StrEnum

import pytest

from twinwall.rules.document import read_document
from twinwall.rules.values import Values


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def node(text):
    (entry,) = Values("f").entries(read_document(f"key: {text}\n", "f"), "it")
    return entry[1]


def read(method, text, *arguments):
    """What the method reads, and how many mistakes it reports."""
    values = Values("f")
    return getattr(values, method)(node(text), *arguments), len(values.diagnostics)


@pytest.mark.parametrize(
    ("method", "arguments", "good", "value", "bad"),
    [
        ("number", (1, 9), "7", 7, ["0", "10", "x", "[1]", "1.5"]),
        ("boolean", (), "true", True, ["maybe", "{}"]),
        ("duration", (), "2m", 120, ["x", "-1s", "[1s]"]),
        ("choice", (Colour,), "red", Colour.RED, ["green", "[red]"]),
    ],
)
def test_a_value_is_read_or_reported_once(method, arguments, good, value, bad):
    assert read(method, good, *arguments) == (value, 0)
    for text in bad:
        assert read(method, text, *arguments) == (None, 1), text


def test_one_text_or_a_list_of_texts():
    assert [[each.text for each in read("texts", text, "a text")[0]] for text in ("a", "[a, b]", "")] == [["a"], ["a", "b"], []]


def test_a_section_leaves_out_what_it_does_not_know():
    values = Values("f")
    entries = values.section(read_document("order: strict\nordr: x\n", "f"), "stateful")
    assert list(entries) == ["order"]
    (diagnostic,) = values.diagnostics
    assert "ordr" in diagnostic.message
    assert diagnostic.span.line == 2
