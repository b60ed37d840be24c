"""Kinds: protocol, TCP flags, ICMP type and code lead to the rules that accept them, with a transport header and without."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.generate import make_rule
from tests.compile.test_rows import row_bits
from twinwall.compile.entries import entries_of
from twinwall.compile.kinds import ICMP6_KEYS, ICMP_KEYS, KEYS, TCP_KEYS, compile_kinds, compile_protocols
from twinwall.compile.rows import RowPool
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
    assert len(table.rows) == KEYS
    for _ in range(30):
        proto, transport = rng.choice([6, 6, 1, 58, 17, 0, 255]), rng.random() < 0.8
        flags, kind, code = rng.randrange(256), rng.randrange(25), rng.randrange(25)
        form = int(table.forms[proto + 256 * transport])
        key = (form & 0xFFFFFFFF) + (flags & form >> 32 & 0xFF) + ((kind << 8 | code) & form >> 40 & 0xFFFF)
        given_packet = {"transport": transport, "flags": flags, "kind": kind, "code": code}
        expected = {number for number, rule in enumerate(rules) if meets(rule, proto, **given_packet)}
        assert row_bits(pool, table.rows[key]) == expected


@pytest.mark.parametrize(("proto", "base", "last"), [(6, TCP_KEYS, 255), (1, ICMP_KEYS, 65535), (58, ICMP6_KEYS, 65535)])
def test_keys_of_different_protocols_do_not_meet(proto, base, last):
    rules = [make_rule(protocols=frozenset({proto}))]
    pool = RowPool(1)
    rows = compile_kinds(entries_of(rules), pool).rows
    assert row_bits(pool, rows[base]) == row_bits(pool, rows[base + last]) == {0}
    for neighbour in (base - 1, base + last + 1):
        if neighbour < KEYS:
            assert row_bits(pool, rows[neighbour]) == set()


def test_a_protocol_leads_to_whatever_asks_some_packet_of_it():
    rules = [
        make_rule(protocols=frozenset({6}), conditions=(Condition(F.TCP_FLAGS, ((2, 2),)),)),
        make_rule(conditions=(Condition(F.PROTOCOL, ((17, 17),), negated=True),)),
        make_rule(),
    ]
    pool = RowPool(3)
    rows = compile_protocols(entries_of(rules), pool)
    assert [row_bits(pool, rows[proto]) for proto in (6, 17, 255)] == [{0, 1, 2}, {2}, {1, 2}]
