"""YAML with places, and what is refused before anything reads it."""

from __future__ import annotations

import pytest

from twinwall.policy.codes import Code
from twinwall.rules.document import DocumentError, Mapping, Scalar, Sequence, read_document


def test_values_know_their_places():
    document = read_document("a: 1\nb:\n  - 'x'\n  - {c: null}\n", "f")
    assert isinstance(document, Mapping)
    (first, one), (_, items) = document.entries
    assert (first.text.text, first.span.line, first.span.column) == ("a", 1, 1)
    assert isinstance(one, Scalar)
    assert (one.text.text, one.span.column, one.null) == ("1", 4, False)
    assert isinstance(items, Sequence)
    quoted = items.items[0]
    assert isinstance(quoted, Scalar)
    assert (quoted.text.text, quoted.span.line, quoted.span.column) == ("x", 3, 6)


def test_a_rules_block_keeps_its_lines_and_what_follows_keeps_its_numbers():
    document = read_document("s:\n  rules: |   # why\n    one\n\n     two\n  z: 9\n", "f")
    assert isinstance(document, Mapping)
    section = document.entries[0][1]
    assert isinstance(section, Mapping)
    (_, rules), (after, _) = section.entries
    assert isinstance(rules, Scalar)
    assert [(line.text, line.line, line.column) for line in rules.rules()] == [("one", 3, 5), ("two", 5, 6)]
    assert (after.span.line, after.span.column) == (6, 3)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: [", Code.YAML_SYNTAX, 2),
        ("a: 1\nb: \x01", Code.FILE_UNREADABLE, 2),
        ("[" * 65 + "]" * 65, Code.TOO_DEEP, 1),
        ("a: &x 1", Code.YAML_ALIAS, 1),
        ("a: !t 1", Code.YAML_ALIAS, 1),
        ("[a]: 1", Code.WRONG_SHAPE, 1),
        ("", Code.WRONG_SHAPE, 1),
        ("a: 1\n---\nb: 2", Code.YAML_SYNTAX, 2),
    ],
)
def test_what_is_no_document_is_refused_at_its_place(text, code, line):
    with pytest.raises(DocumentError) as caught:
        read_document(text, "f")
    assert (caught.value.diagnostic.code, caught.value.diagnostic.span.line) == (code, line)


@pytest.mark.parametrize("text", ['a: "\\UFFFFFFFF"', 'a: "\\U00110000"', "%YAML 1.3\n---\na: 1"])
def test_a_text_over_which_the_reader_stumbles_is_a_mistake_like_any_other(text: str):
    with pytest.raises(DocumentError, match="not YAML"):
        read_document(text, "f")
