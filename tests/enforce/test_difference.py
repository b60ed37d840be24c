"""What differs between two policies: rules by number, order, settings, and variables behind unchanged words."""

import pytest

from twinwall.enforce.difference import difference
from twinwall.enforce.outline import NOTHING, Outline
from twinwall.rules.policy_file import read_policy_text

RULES = [f"pass tcp any any -> $WEB {port} (sid:{port};)" for port in range(1, 9)]


def outline(rules=RULES, web="192.0.2.0/24", more=""):
    body = "".join(f"    {rule}\n" for rule in rules)
    text = f"twinwall: 1\nvariables: {{WEB: {web}}}\nstateful:\n  order: strict\n  rules: |\n{body}{more}"
    policy, diagnostics = read_policy_text(text, "policy.yaml", str)
    assert policy is not None, diagnostics
    return Outline.of(policy)


def test_a_policy_does_not_differ_from_itself_wherever_its_rules_stand():
    found = difference(outline(), outline([" ".join(rule.split()) for rule in RULES]))
    assert not found
    assert found.counts == {}


def test_added_removed_and_changed():
    other = [*RULES[1:7], "drop tcp any any -> $WEB 8 (sid:8;)", "pass udp any any -> any 53 (sid:53;)"]
    found = difference(outline(), outline(other))
    assert found.counts == {"added": 1, "removed": 1, "changed": 1}
    assert [(each.sid, each.stage) for each in found.select(before=False, after=True)] == [(53, "stateful")]
    assert [each.sid for each in found.select(before=True, after=False)] == [1]
    (changed,) = found.select(before=True, after=True)
    assert (changed.before, changed.after) == (RULES[7], other[6])


def test_a_variable_with_other_contents_changes_its_rules():
    found = difference(outline(), outline(web="192.0.2.0/25"))
    assert found.counts == {"changed": 8}


@pytest.mark.parametrize(("order", "moved"), [([7, *range(7)], 1), ([*range(4, 8), *range(4)], 4), (range(7, -1, -1), 7)])
def test_moved_rules_are_as_few_as_can_be(order, moved):
    assert difference(outline(), outline([RULES[place] for place in order])).counts == {"moved": moved}


def test_settings_are_named_by_their_places():
    more = "timeouts: {udp: 7s}\nattach: {mode: host, inside: [eth0]}\nstateless: {default: drop}\n"
    found = {each.name: (each.before, each.after) for each in difference(outline(), outline(more=more)).settings}
    assert found["stateless.default"] == ("forward", "drop")
    assert found["tracking.timeouts"] == ("none", "[[udp, 7.0]]")
    assert found["attach.mode"] == ("none", "host")


def test_against_nothing_there_are_rules_and_no_settings():
    assert difference(NOTHING, outline()).counts == {"added": 8}
    assert difference(NOTHING, outline()).settings == ()
    assert difference(outline(), NOTHING).counts == {"removed": 8}


def test_rules_that_nobody_numbered_are_told_apart_by_their_order():
    rules = ["pass tcp any any -> any 1 (sid:1;)"]
    two = Outline(stateful=outline(rules).stateful * 2, settings={})
    three = Outline(stateful=outline(rules).stateful * 3, settings={})
    assert difference(two, three).counts == {"added": 1}
