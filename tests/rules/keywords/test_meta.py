import pytest

from tests.rules.keywords.rule import read


def test_what_a_rule_says_about_itself():
    rule, diagnostics = read(
        'msg:"a \\"b\\""; rev:3; gid:2; priority:4; classtype:trojan-activity; reference:url,example.org; metadata:a b;'
    )
    assert [each for each in diagnostics if each.severity == "error"] == []
    assert (rule.message, rule.rev, rule.gid, rule.priority) == ('a "b"', 3, 2, 4)


@pytest.mark.parametrize("options", ["msg:unquoted;", "rev:x;", "classtype:no-such-class;", "reference:url;"])
def test_mistakes_are_reported(options):
    assert read(options)[1]
