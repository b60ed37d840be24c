"""The JSON reader against the standard library's, and on everything the standard library lets through."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.formats.json.reader import MAX_DEPTH, read_json
from twinwall.formats.json.value import Value

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


def plain(value: Value):
    content = value.content
    if isinstance(content, dict):
        return {name: plain(member) for name, member in content.items()}
    if isinstance(content, list):
        return [plain(item) for item in content]
    return content


@given(JSON, st.booleans(), st.sampled_from([None, 1, 4]))
def test_reads_what_the_standard_library_writes(data, ascii_only, indent):
    value, diagnostics = read_json("f.json", json.dumps(data, ensure_ascii=ascii_only, indent=indent))
    assert diagnostics == ()
    assert plain(value) == data


@given(st.text(alphabet='{}[]",:\\u0123eE+-.truefalsn \n\t\x00dD8'))
def test_agrees_with_the_standard_library_on_what_is_json(text):
    try:
        expected = json.loads(text, parse_constant=pytest.fail)
        lone = any(0xD800 <= ord(each) <= 0xDFFF for each in json.dumps(expected, ensure_ascii=False))
    except (ValueError, pytest.fail.Exception):
        expected, lone = None, True
    value, diagnostics = read_json("f.json", text)
    if lone:
        assert diagnostics
    elif not diagnostics:
        assert plain(value) == expected


@pytest.mark.parametrize(
    ("text", "column", "word"),
    [
        ("", 1, "empty"),
        ("   ", 1, "empty"),
        ('{"a": NaN}', 7, "JSON value"),
        ('{"a": -Infinity}', 7, "JSON value"),
        ('{"a": 1,}', 9, "member name"),
        ("[1,]", 4, "JSON value"),
        ("[1 2]", 4, "comma"),
        ('{"a" 1}', 6, "colon"),
        ("{a: 1}", 2, "quotes"),
        ("[01]", 3, "comma"),
        ("[1.]", 3, "comma"),
        ('"abc', 1, "does not end"),
        ('"a\tb"', 3, "control character"),
        (r'"\x41"', 2, "escape"),
        (r'"\u12g4"', 2, "hexadecimal"),
        (r'"\ud800"', 2, "surrogate"),
        (r'"\udc00\ud800"', 2, "surrogate"),
        ("{} {}", 4, "follows"),
        ("[" + "1" * 400 + "]", 2, "more than"),
    ],
)
def test_refuses_what_is_not_json_and_says_where(text, column, word):
    value, (diagnostic,) = read_json("f.json", text)
    assert value is None
    assert (diagnostic.code, diagnostic.span.line, diagnostic.span.column) == ("json-syntax", 1, column)
    assert word in diagnostic.message
    assert diagnostic.hint


def test_nesting_is_bounded():
    assert read_json("f", "[" * MAX_DEPTH + "]" * MAX_DEPTH)[1] == ()
    assert read_json("f", "[" * 100_000)[1][0].code == "json-depth"


def test_every_duplicate_member_is_reported_and_the_first_counts():
    value, diagnostics = read_json("f", '{"a": 1,\n "a": 2,\n "b": {"c": 1, "c": 1}}')
    assert [(each.code, each.span.line, each.span.column) for each in diagnostics] == [
        ("json-duplicate-member", 2, 2),
        ("json-duplicate-member", 3, 16),
    ]
    assert value.content["a"].content == 1


def test_a_byte_order_mark_is_passed_over():
    value, diagnostics = read_json("f", '\ufeff{"a": 1}')
    assert diagnostics == ()
    assert value.content["a"].span.column == 7


def test_a_number_too_large_for_a_float_stays_a_number():
    value, _ = read_json("f", "1e999")
    assert math.isinf(value.content)
