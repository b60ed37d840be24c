"""The canonical text: reading it back gives the same rule, for every rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.strategies import STATEFUL, STATELESS
from twinwall.policy.diagnostic import Span
from twinwall.policy.model import Condition, PacketField
from twinwall.rules.keyword import UnprintableError, Where
from twinwall.rules.lexer import logical_lines
from twinwall.rules.parser import RuleParser
from twinwall.rules.printer import print_rule

NOWHERE = Span("", 0, 0)


def read(text, stage):
    parser = RuleParser()
    parsed = parser.read(logical_lines(text, "f"), stage)
    return parsed, tuple(parser.interfaces)


@given(st.one_of(STATEFUL.map(lambda text: (text, Where.STATEFUL)), STATELESS.map(lambda text: (text, Where.STATELESS))))
def test_what_is_printed_reads_as_the_same_rule_and_prints_as_itself(case):
    text, stage = case
    parsed, interfaces = read(text, stage)
    if parsed.diagnostics:
        assert not parsed.rules
        return
    (rule,) = parsed.rules
    try:
        printed = print_rule(rule, interfaces)
    except UnprintableError:
        assert rule.protocols is not None  # only a set of protocols made of several ip_proto has no words
        return
    again, _ = read(printed, stage)
    assert again.diagnostics == []
    order = sorted(rule.conditions, key=lambda each: each.field)
    unplaced = replace(rule, span=NOWHERE, text="", conditions=tuple(order))
    reread = replace(
        again.rules[0], span=NOWHERE, text="", conditions=tuple(sorted(again.rules[0].conditions, key=lambda each: each.field))
    )
    assert reread == unplaced
    assert print_rule(again.rules[0], interfaces) == printed


@pytest.mark.parametrize(
    "condition",
    [
        Condition(PacketField.TCP_FLAGS, ((2, 2), (16, 16)), 0xFF),
        Condition(PacketField.TTL, ((1, 2), (5, 6))),
        Condition(PacketField.INTERFACE, ((9, 9),)),
        Condition(PacketField.FRAGMENT, ((0, 1),)),
        Condition(PacketField.IP_OPTIONS, ((1, 1),), 3),
    ],
)
def test_what_the_language_cannot_say_is_refused(condition):
    (rule,) = read("pass ip any any -> any any (sid:1;)", Where.STATEFUL)[0].rules
    with pytest.raises(UnprintableError):
        print_rule(replace(rule, conditions=(condition,)))
