"""Rules as entries: a two-way rule is two, the halves together and in order."""

from __future__ import annotations

from tests.compile.generate import make_rule
from twinwall.compile.entries import entries_of
from twinwall.policy.sets import ANY_ADDRESS, ANY_PORT, AddressSet, PortSet

HOST, PORT = AddressSet(((5, 5),), ()), PortSet(((80, 80),))


def test_a_one_way_rule_is_one_entry():
    (entry,) = entries_of([make_rule(source=HOST, destination_ports=PORT)])
    assert (entry.index, entry.source, entry.destination, entry.source_ports, entry.destination_ports) == (
        0, HOST, ANY_ADDRESS, ANY_PORT, PORT,
    )  # fmt: skip


def test_a_two_way_rule_is_two_entries_that_stand_together():
    rules = [make_rule(), make_rule(source=HOST, destination_ports=PORT, bidirectional=True), make_rule()]
    entries = entries_of(rules)
    assert [each.index for each in entries] == [0, 1, 1, 2]
    ahead, back = entries[1:3]
    assert (back.source, back.source_ports) == (ahead.destination, ahead.destination_ports) == (ANY_ADDRESS, PORT)
    assert (back.destination, back.destination_ports) == (ahead.source, ahead.source_ports) == (HOST, ANY_PORT)
    assert back.rule is ahead.rule is rules[1]


def test_a_two_way_rule_that_is_its_own_mirror_is_one_entry():
    rules = [make_rule(bidirectional=True), make_rule(source=HOST, destination=HOST, bidirectional=True)]
    assert [each.index for each in entries_of(rules)] == [0, 1]


def test_no_rules_no_entries():
    assert entries_of([]) == ()
