"""Kinds: protocol, TCP flags, ICMP type and code lead to the rules that accept them, with a transport header and without."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.generate import make_rule
from tests.compile.test_rows import row_bits
from twinwall.compile.entries import entries_of
from twinwall.compile.kinds import MESSAGES, asks_kind, compile_kinds, compile_protocols, forms
from twinwall.compile.rows import RowPool
from twinwall.path.table_layout import FORM_FLAGS_SHIFT, FORM_MESSAGE, FORM_PLACE
from twinwall.policy.model import Condition, PacketField

F = PacketField
FIELDS = (F.PROTOCOL, F.TCP_FLAGS, F.ICMP_TYPE, F.ICMP_CODE)


def meets(rule, proto, *, transport, flags=0, kind=0, code=0):
    """What the rule says of such a packet, by its words alone."""
    if rule.protocols is not None and proto not in rule.protocols:
        return False
    has = {F.PROTOCOL: proto}
    if transport and proto == 6:
        has[F.TCP_FLAGS] = flags
    if transport and proto in (1, 58):
        has |= {F.ICMP_TYPE: kind, F.ICMP_CODE: code}
    for each in rule.conditions:
        if each.field not in has:
            return False
        if any(low <= has[each.field] & each.mask <= high for low, high in each.ranges) == each.negated:
            return False
    return True


def some_condition(rng):
    low = rng.randrange(20)
    ranges = ((low, low + rng.randrange(9)),)
    return Condition(rng.choice(FIELDS), ranges, rng.choice([255, 18]), negated=rng.random() < 0.3)


def some_kind(rng):
    protocols = rng.choice([None, frozenset({6}), frozenset({1}), frozenset({1, 58, 17})])
    return make_rule(protocols=protocols, conditions=tuple(some_condition(rng) for _ in range(rng.choice([0, 1, 1, 2]))))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1 << 32))
def test_every_kind_of_packet_leads_to_the_rules_that_accept_it(seed):
    rng = random.Random(seed)
    rules = [some_kind(rng) for _ in range(9)]
    pool = RowPool(len(rules))
    table = compile_kinds(entries_of(rules), pool)
    assert (len(table.plain), len(table.messages)) == (512, 2 * MESSAGES)
    for _ in range(30):
        proto, transport = rng.choice([6, 6, 1, 58, 17, 0, 255]), rng.random() < 0.8
        flags, kind, code = rng.randrange(256), rng.randrange(25), rng.randrange(25)
        form = int(forms(0, 256)[proto + 256 * transport])
        row = table.plain[(form + (flags & form >> FORM_FLAGS_SHIFT & 0xFF) & FORM_PLACE) % 512]
        if form & FORM_MESSAGE:
            row = table.messages[(form & FORM_PLACE) + (code << 8 | kind)]
        given_packet = {"transport": transport, "flags": flags, "kind": kind, "code": code}
        expected = {number for number, rule in enumerate(rules) if meets(rule, proto, **given_packet)}
        assert row_bits(pool, row) == expected


def test_messages_of_icmp_and_icmpv6_do_not_meet():
    rules = [make_rule(protocols=frozenset({1})), make_rule(protocols=frozenset({58}))]
    pool = RowPool(2)
    rows = compile_kinds(entries_of(rules), pool).messages
    assert [row_bits(pool, rows[place]) for place in (0, MESSAGES - 1, MESSAGES, -1)] == [{0}, {0}, {1}, {1}]


def test_a_protocol_alone_asks_for_no_kind():
    asked = (make_rule(conditions=(Condition(field, ((6, 6),)),)) for field in FIELDS)
    assert [asks_kind(each) for each in entries_of(tuple(asked))] == [False, True, True, True]


def test_a_protocol_leads_to_whatever_asks_some_packet_of_it():
    rules = [
        make_rule(protocols=frozenset({6}), conditions=(Condition(F.TCP_FLAGS, ((2, 2),)),)),
        make_rule(conditions=(Condition(F.PROTOCOL, ((17, 17),), negated=True),)),
        make_rule(),
    ]
    pool = RowPool(3)
    rows = compile_protocols(entries_of(rules), pool)
    assert [row_bits(pool, rows[proto]) for proto in (6, 17, 255)] == [{0, 1, 2}, {2}, {1, 2}]
