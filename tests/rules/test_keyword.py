"""What all keywords share."""

from __future__ import annotations

from tests.rules.keywords.rule import read
from twinwall.policy.codes import Code
from twinwall.policy.model import PacketField
from twinwall.rules.keyword import bad_value, conditions_on


def test_a_bad_value_is_all_of_the_value():
    mistake = bad_value("12x", "no number", "write one")
    assert (mistake.code, mistake.start, mistake.end, mistake.hint) == (Code.BAD_VALUE, 0, 3, "write one")


def test_conditions_on_one_field_keep_their_order():
    rule, diagnostics = read("ttl:>3; id:7; ttl:<9;")
    assert not diagnostics
    assert [each.ranges for each in conditions_on(rule, PacketField.TTL)] == [((4, 255),), ((0, 8),)]
    assert conditions_on(rule, PacketField.TOS) == []
