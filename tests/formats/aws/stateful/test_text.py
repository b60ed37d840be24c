"""The call of the rule parser: what it says is kept, moved, and said once."""

from tests.formats.aws.made import codes, strings


def test_what_the_checks_say_the_parser_does_not_say_again():
    reading = strings('pass tcp $NOBODY any -> any any (msg:"x"; dataset:set,x; gid:1;)')
    assert sorted(codes(reading)) == ["aws-gid", "aws-keyword", "aws-sid-missing", "aws-variable-undeclared"]


def test_every_mistake_of_every_line_is_reported():
    reading = strings("pass tcp any any -> any any (nonsense; sid:1;)\ndrop xyz any any -> 10.0.0.999 any (sid:2;)")
    assert codes(reading) == ["unknown-keyword", "unknown-protocol", "bad-address"]
    assert [each.message.split(":")[0] for each in reading.diagnostics] == [
        "deep, rule line 1",
        "deep, rule line 2",
        "deep, rule line 2",
    ]


def test_rules_that_are_sound_do_not_hide_those_that_are_not():
    assert strings("pass ip any any -> any any (sid:1;)\nnonsense").policy is None
