"""The evaluation order, held against the order of Suricata's alerts."""

from __future__ import annotations

from tests.rules.suricata_oracle import alerts, udp
from twinwall.policy.model import Order
from twinwall.rules.order import evaluation_order
from twinwall.rules.parser import parse_rules

RULES = """\
alert udp any any -> any any (ttl:64; sid:20;)
alert udp any any -> any any (ttl:64; priority:1; sid:30;)
alert udp any any -> any any (ttl:64; flowbits:isnotset,z; sid:40;)
alert udp any any -> any any (ttl:64; flowbits:isnotset,z; flowbits:set,y; sid:50;)
alert udp any any -> any any (ttl:64; flowbits:set,x; sid:60;)
alert udp any any -> any any (ttl:64; sid:10;)
alert udp any any -> any any (ttl:64; priority:2; flowbits:set,x; sid:70;)
"""


def sids(order, text=RULES):
    return [rule.sid for rule in evaluation_order(parse_rules(text, "f").rules, order)]


def test_strict_order_is_the_order_of_the_text():
    assert sids(Order.STRICT) == [20, 30, 40, 50, 60, 10, 70]


def test_action_order_is_suricatas(tmp_path):
    _, theirs = alerts(tmp_path, RULES.splitlines(), [udp("10.0.0.1", "10.0.0.2")])
    assert sids(Order.ACTION) == theirs


def test_actions_go_before_everything_else():
    text = "\n".join(
        f"{action} udp any any -> any any (sid:{at};)" for at, action in enumerate(("alert", "reject", "drop", "pass"), 1)
    )
    assert sids(Order.ACTION, text) == [4, 3, 2, 1]


def test_inside_an_action_flow_bits_then_priority_then_sid():
    assert sids(Order.ACTION) == [70, 60, 50, 40, 30, 10, 20]
