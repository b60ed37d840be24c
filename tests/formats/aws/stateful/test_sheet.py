"""Sheets: which line is a rule, and which of its words is what."""

import json

from twinwall.formats.aws.stateful.sheet import sheet_of_string
from twinwall.formats.json.reader import read_json


def sheet(text):
    return sheet_of_string(read_json("f", json.dumps(text))[0])


def test_comments_and_blank_lines_hold_no_rule():
    found = sheet("# one\n\n  \t\n  pass ip a b -> c d (sid:1;)\n#drop x\ndrop tcp").lines
    assert [(line.number, line.action, line.protocol) for line in found] == [(4, "pass", "ip"), (6, "drop", "tcp")]


def test_options_know_name_value_and_place():
    given = sheet('pass ip a b -> c d (msg:"x; y"; content:"a\\;b"; SID : 7 ; noalert;)')
    (line,) = given.lines
    assert [(option.name, option.value) for option in line.options if option.name in ("content", "sid", "noalert")] == [
        ("content", '"a\\;b"'),
        ("sid", "7"),
        ("noalert", ""),
    ]
    assert all(given.text[option.index :].lower().startswith(option.name) for option in line.options)


def test_variables_are_those_of_the_header():
    (line,) = sheet('pass ip $A any -> [@B,!$C] $P (msg:"costs $5"; sid:1;)').lines
    assert [sigil + name for sigil, name, _ in line.variables()] == ["$A", "@B", "$C", "$P"]


def test_text_without_parentheses_is_a_line_without_options():
    (line,) = sheet("pass").lines
    assert (line.action, line.protocol, line.options) == ("pass", "", ())
