from __future__ import annotations

import random

import numpy as np
import pytest

from tests.compile.generate import make_record, make_rule, some_record, some_rule, some_stateful_rule
from tests.compile.linear import header_matches
from twinwall.compile.stateless import compile_stateless
from twinwall.engine.fit import accepts, misfit, value_of
from twinwall.path.classify import stateless
from twinwall.path.layout import NO_RULE
from twinwall.path.primitives import Pointer
from twinwall.path.table_layout import H_STEPS, H_WORDS
from twinwall.policy.model import (
    Action,
    Condition,
    FlowDirection,
    FlowOption,
    PacketField,
    RuleType,
    StatelessStage,
)
from twinwall.policy.sets import PortSet


@pytest.mark.parametrize("seed", range(40))
def test_the_tables_say_the_same(seed):
    rng = random.Random(seed)
    rules = tuple(some_rule(rng) for _ in range(30))
    table = compile_stateless(StatelessStage(rules, Action.FORWARD))
    words = Pointer(table.words.view(np.uint8).data)
    for _ in range(20):
        record = some_record(rng)
        answer = stateless(words, Pointer(bytearray(record.tobytes())), table.header(H_WORDS), table.header(H_STEPS))
        first = next((at for at, rule in enumerate(rules) if not misfit(rule, record, None)), NO_RULE)
        assert answer >> 32 == first


@pytest.mark.parametrize("seed", range(40))
def test_all_conditions_of_stateful_rules(seed):
    rng = random.Random(seed)
    for _ in range(50):
        rule, record = some_stateful_rule(rng), some_record(rng)
        fits = not misfit(rule, record, None) and all(accepts(each, value_of(record, each.field)) for each in rule.conditions)
        assert fits == header_matches(rule, record)


def test_what_does_not_fit_is_named():
    record = make_record(sport=40000, dport=444, tcp_flags=2, src_lo=0x0A000005, dst_lo=0xC6336407)
    web = make_rule(protocols=frozenset({17}), destination_ports=PortSet(((443, 443),)))
    assert misfit(web, record, None).ends == ("protocol tcp", "destination port 444")
    flags = make_rule(conditions=(Condition(PacketField.TCP_FLAGS, ((3, 3),)),))
    assert misfit(flags, record, None).rest == ("TCP flags S",)
    ping = make_rule(conditions=(Condition(PacketField.ICMP_TYPE, ((8, 8),)),))
    assert misfit(ping, record, None).parts == ("no ICMP type",)


def test_what_the_flow_says():
    record = make_record()
    option = FlowOption(direction=FlowDirection.TO_CLIENT, established=True)
    once = make_rule(type=RuleType.IP_ONLY)
    assert misfit(make_rule(flow=option, type=RuleType.PACKET), record, 8).rest == (
        "flow is not to_client",
        "flow is not established",
    )
    assert not misfit(make_rule(flow=option, type=RuleType.PACKET), record, 5)
    assert misfit(once, record, 0).rest == ("asked once for each side of a flow, and it was asked before",)
    assert not misfit(once, record, 8)
