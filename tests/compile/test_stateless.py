"""The stateless stage as a table: what is refused, and what the defaults become."""

from __future__ import annotations

import pytest

from tests.compile.generate import make_rule
from twinwall.compile.stateless import compile_stateless
from twinwall.path.table_layout import (
    ACTION_DROP,
    ACTION_FORWARD,
    ACTION_PASS,
    H_DEFAULT,
    H_ENTRIES,
    H_INFO,
    INFO_ACTION,
    INFO_RULE_SHIFT,
)
from twinwall.policy.model import Action, Condition, FlowbitKind, FlowbitOption, FlowOption, PacketField, StatelessStage
from twinwall.policy.sets import AddressSet

NUMBERS = {Action.PASS: ACTION_PASS, Action.DROP: ACTION_DROP, Action.FORWARD: ACTION_FORWARD}


@pytest.mark.parametrize("default", NUMBERS)
@pytest.mark.parametrize("fragments", NUMBERS)
@pytest.mark.parametrize("other", [None, *NUMBERS])
def test_defaults_of_packets_of_udp_fragments_and_of_other_fragments(default, fragments, other):
    word = compile_stateless(StatelessStage((), default, fragments, other)).header(H_DEFAULT)
    expected = [NUMBERS[default], NUMBERS[fragments], NUMBERS[fragments if other is None else other]]
    assert [word & 0xFF, word >> 8 & 0xFF, word >> 16] == expected


def test_every_entry_knows_its_rule_and_action():
    hosts = [AddressSet(((each, each),), ()) for each in (3, 1, 2)]
    actions = (Action.DROP, Action.PASS, Action.FORWARD)
    rules = tuple(make_rule(action, source=host, bidirectional=True) for action, host in zip(actions, hosts, strict=True))
    table = compile_stateless(StatelessStage(rules))
    assert (table.rules, table.header(H_ENTRIES)) == (rules, 6)
    infos = [int(word) for word in table.words[table.header(H_INFO) :][:6]]
    found = sorted((info >> INFO_RULE_SHIFT, info & INFO_ACTION) for info in infos)
    assert found == [(0, ACTION_DROP)] * 2 + [(1, ACTION_PASS)] * 2 + [(2, ACTION_FORWARD)] * 2


@pytest.mark.parametrize(
    "values",
    [
        {"flow": FlowOption(established=True)},
        {"flowbits": (FlowbitOption(FlowbitKind.SET, ("a",)),)},
        {"conditions": (Condition(PacketField.WINDOW, ((0, 0),)),)},
    ],
    ids=["flow", "flowbits", "window"],
)
def test_what_only_the_stateful_stage_knows_never_gets_here(values):
    with pytest.raises(AssertionError, match="stateless stage"):
        compile_stateless(StatelessStage((make_rule(**values),)))
