"""What a flow remembers of its five-tuple never shows: its first packet and later ones, few rules and many, fare alike."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compile.generate import make_record, make_rule
from tests.path.conversation import ENTRY, PACKET, QUOTE, TO_CLIENT, Conversation, stage
from twinwall.path.layout import MARK_FRAGMENT, MARK_IP, MARK_PORTS, MARK_TRANSPORT
from twinwall.policy.model import Action, Condition, PacketField
from twinwall.policy.sets import PortSet

ALERT = Action.ALERT


def port(number):
    return PortSet(((number, number),))


def alerts(talk, record, tracked=ENTRY):
    return [rule for rule, _ in talk.packet(record, tracked)[4]]


@pytest.mark.parametrize("others", [0, 3, 70, 5000])
@pytest.mark.parametrize("fitting", [0, 1, 5, 6, 7, 8, 15])
def test_rules_apply_in_their_order_however_many_fit(fitting, others):
    """The rules that fit stand far apart, the last one at the end."""
    rules = [make_rule(ALERT, type=PACKET, destination_ports=port(9))] * others
    expected = []
    for number in range(fitting):
        at = number * (others // max(fitting, 1)) if number < fitting - 1 else len(rules)
        rules.insert(at, make_rule(ALERT, type=PACKET, destination_ports=port(443)))
    expected = [at for at, rule in enumerate(rules) if rule.destination_ports == port(443)]
    talk = Conversation(stage(*rules))
    before = talk.compiled.stateful.words.copy()
    for _ in range(3):
        assert alerts(talk, make_record(dport=443)) == expected
        assert alerts(talk, make_record(sport=443, dport=50), ENTRY | TO_CLIENT) == []
    assert np.array_equal(talk.compiled.stateful.words, before), "the search left something behind in the table"


@pytest.mark.parametrize("fitting", [2, 9])
def test_what_differs_from_packet_to_packet_is_asked_of_each(fitting):
    syn = make_rule(ALERT, type=PACKET, conditions=(Condition(PacketField.TCP_FLAGS, ((2, 2),), 0x12),))
    talk = Conversation(stage(*[make_rule(ALERT, type=PACKET)] * (fitting - 1), syn))
    counts = [len(alerts(talk, make_record(tcp_flags=flags))) for flags in (16, 2, 18, 2)]
    assert counts == [fitting - 1, fitting, fitting - 1, fitting]


@pytest.mark.parametrize("fitting", [1, 9])
def test_each_side_remembers_its_own(fitting):
    rules = [make_rule(ALERT, type=PACKET, source_ports=port(80))] * fitting
    talk = Conversation(stage(*rules))
    for _ in range(2):
        assert alerts(talk, make_record(sport=1, dport=80)) == []
        assert len(alerts(talk, make_record(sport=80, dport=1), ENTRY | TO_CLIENT)) == fitting


@pytest.mark.parametrize("fitting", [1, 9])
@pytest.mark.parametrize(
    ("fields", "tracked"),
    [
        ({"proto": 1, "marks": MARK_IP | MARK_TRANSPORT}, ENTRY | QUOTE),
        ({"dport": 9, "marks": MARK_IP | MARK_PORTS | MARK_TRANSPORT | MARK_FRAGMENT}, ENTRY),
    ],
    ids=["quote", "fragment"],
)
def test_a_packet_without_its_flow_s_five_tuple_neither_uses_nor_leaves_anything(fitting, fields, tracked):
    talk = Conversation(stage(*[make_rule(ALERT, type=PACKET, destination_ports=port(443))] * fitting))
    for _ in range(2):
        assert alerts(talk, make_record(**fields), tracked) == []
        assert len(alerts(talk, make_record(dport=443))) == fitting


def test_flows_of_one_policy_do_not_meet():
    policy = stage(make_rule(ALERT, type=PACKET, destination_ports=port(443)))
    one, two = Conversation(policy), Conversation(policy)
    two.rules = one.rules
    assert alerts(one, make_record(dport=80)) == []
    assert alerts(two, make_record(dport=443)) == [0]
    assert alerts(one, make_record(dport=80)) == []
