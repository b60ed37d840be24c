"""Sizes of tables."""

from __future__ import annotations

from tests.compile.generate import make_rule
from twinwall.compile.describe import table_size
from twinwall.compile.policy import compile_policy
from twinwall.path.table_layout import HEADER_WORDS
from twinwall.policy.model import Policy, StatelessStage
from twinwall.policy.sets import AddressSet


def test_sizes_add_up_and_two_way_rules_count_twice():
    host = AddressSet(((5, 5),), ())
    rules = (make_rule(source=host, bidirectional=True), make_rule())
    table = compile_policy(Policy(stateless=StatelessStage(rules))).stateless
    size = table_size(table)
    assert (size.rules, size.entries) == (2, 3)
    assert size.bytes == 8 * (HEADER_WORDS + sum(table.section_words.values()))
    assert size.row_bytes + size.block_bytes + size.node_bytes < size.bytes
    assert str(size).startswith("2 rules in ")
