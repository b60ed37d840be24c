"""Places of values, and of characters inside strings."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.formats.json.reader import read_json


def test_a_value_knows_its_line_column_and_length():
    root, _ = read_json("f.json", '{\n  "a": "xyz",\n  "b": [10,\n 200]\n}')
    a, b = root.content["a"], root.content["b"]
    assert (str(a.span), a.span.length) == ("f.json:2:8", 5)
    assert (str(b.span), b.span.length) == ("f.json:3:8", 4)  # a value of several lines: up to the end of the first
    assert (str(b.content[1].span), b.content[1].span.length) == ("f.json:4:2", 3)


@given(st.text(min_size=1), st.booleans(), st.data())
def test_a_character_of_a_string_is_found_in_the_source(text, ascii_only, data):
    source = json.dumps({"k": text}, ensure_ascii=ascii_only)
    root, _ = read_json("f", source)
    value = root.content["k"]
    index = data.draw(st.integers(0, len(text) - 1))
    start, end = value.inner_offset(index), value.inner_offset(index + 1)
    assert json.loads(f'"{source[start:end]}"') == text[index]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{}", "an object"),
        ("[]", "an array"),
        ('""', "a string"),
        ("true", "a boolean"),
        ("null", "null"),
        ("1", "a number"),
        ("0.5", "a number"),
    ],
)
def test_kind_is_what_json_calls_it(text, kind):
    assert read_json("f", text)[0].kind == kind
