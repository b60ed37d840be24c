"""A plan as people read it."""

from dataclasses import replace

from tests.enforce.test_plan import FakeMachine, made
from twinwall.cli.plan_text import plan_lines
from twinwall.enforce.outline import NOTHING, Outline, RuleLine
from twinwall.enforce.plan import plan

BOTH = FakeMachine("in0", "out0", running={"in0": "native", "out0": "native"})


def lines(old=None, new=None, before=NOTHING, machine=BOTH, *, damaged=False, every=False):
    return list(plan_lines(plan(old, before, new, machine, damaged=damaged), every=every))


def test_a_first_policy():
    text = "\n".join(lines(new=made()))
    assert "in place of no policy" in text
    assert "rules      1 added" in text
    assert "  + stateful  pass tcp any any -> any 443 (sid:1;)" in text
    assert "2 chains, 4 elements; generation 1" in text
    assert "interface  in0: XDP, native" in text


def test_a_changed_rule_shows_both_forms():
    old, new = made(1, 443), made(2, 80)
    text = lines(old, new, old.outline)
    assert "      - pass tcp any any -> any 443 (sid:1;)" in text
    assert "      + pass tcp any any -> any 80 (sid:1;)" in text


def test_a_variable_that_changed_is_named_as_the_cause():
    old, new = made(1), made(2)
    (line,) = old.outline.stateful
    before = replace(old.outline, stateful=(line._replace(sum=0),))
    assert any("its variables have other contents" in each for each in lines(old, new, before))


def test_many_rules_are_counted_and_shown_when_asked():
    many = Outline(stateful=tuple(RuleLine(1, sid, f"rule {sid}", 0) for sid in range(2, 102)), settings={})
    text = lines(made(), made(2), many)
    assert "  - … and 80 more (--all shows them)" in text
    assert len([each for each in text if each.startswith("  - ")]) == 21
    assert len([each for each in lines(made(), made(2), many, every=True) if each.startswith("  - ")]) == 100


def test_nothing_to_do_is_said_in_a_line():
    old = made()
    machine = FakeMachine("in0", "out0", running={"in0": "native", "out0": "native"})
    machine.setting = lambda name: next((each.value for each in old.settings if each.name == name), "1")
    (line,) = lines(old, made(2), old.outline, machine)
    assert "nothing would change" in line
    assert any("somebody else has changed" in each for each in lines(old, made(2), old.outline, machine, damaged=True))


def test_the_end():
    old = made()
    text = lines(old, None, old.outline)
    assert "nftables   every table of twinwall is removed" in text
    assert "interface  in0: XDP, native → not attached" in text
