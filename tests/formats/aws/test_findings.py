"""The notebook: typed access to JSON, each wrong type diagnosed once and named as JSON names it."""

import pytest

from twinwall.formats.aws.findings import Findings
from twinwall.formats.json.reader import read_json


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("[]", dict, "an object, not an array"),
        ("{}", list, "an array, not an object"),
        ("1", str, "a string, not a number"),
        ("true", int, "a whole number, not a boolean"),
        ("1.0", int, "a whole number, not a number"),
        ("1", bool, "a boolean, not a number"),
        ("null", str, "a string, not null"),
    ],
)
def test_wrong_types(text, kind, words):
    findings = Findings()
    assert not findings.typed(read_json("f", text)[0], kind, "Member")
    assert findings.diagnostics[0].message == f"Member must be {words}"
    assert findings.errors == 1


@pytest.mark.parametrize(("text", "kind"), [("{}", dict), ("[]", list), ('""', str), ("1", int), ("true", bool)])
def test_right_types(text, kind):
    findings = Findings()
    assert findings.typed(read_json("f", text)[0], kind, "Member")
    assert findings.diagnostics == []


def test_a_long_wrong_word_is_shortened():
    findings = Findings()
    findings.word(read_json("f", '{"A": "%s"}' % ("x" * 500))[0], "A", ("Y",))
    assert len(findings.diagnostics[0].message) < 120
