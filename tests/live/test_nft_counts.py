"""Counters, added up by rule."""

from __future__ import annotations

import pytest

from tests.live.namespace import in_namespace
from twinwall.live import nft
from twinwall.live.nft import Table
from twinwall.live.nft_counts import Count, read_counts

RULESET = """table inet twinwall {
\tcounter drop_invalid { packets 3 bytes 180; }
\tmap m {
\t\ttype ipv4_addr . inet_service : mark; flags interval; counter;
\t\telements = {
\t\t\t10.0.0.0/8 . 80-90 counter packets 2 bytes 100 comment "sid 1" : 1,
\t\t\t11.0.0.0/8 . 80-90 counter packets 5 bytes 500 comment "sid 1" : 1,
\t\t\t12.0.0.0/8 . 80-90 comment "sid 2" : 2,
\t\t}
\t}
\tset flow_hits {
\t\ttype mark; counter;
\t\telements = { 1 counter packets 10 bytes 1000 comment "sid 1", }
\t}
\tmap known_flows {
\t\ttype mark : verdict; counter;
\t\telements = {
\t\t\t0x20100001 counter packets 7 bytes 700 comment "sid 1" : accept,
\t\t\t0x20200002 counter packets 2 bytes 20 comment "sid 2" : drop,
\t\t\t0x20c00001 counter packets 1 bytes 60 comment "sid 1" : accept,
\t\t}
\t}
\tset plain {
\t\ttype mark; elements = { 1, }
\t}
\tchain c {
\t\tmeta l4proto tcp counter packets 1 bytes 40 accept comment "sid 1"
\t\tcounter packets 9 bytes 9 comment "nat.masquerade"
\t\tmeta mark 1 accept
\t}
\tchain stateless_rules4 {
\t\tmeta l4proto tcp counter packets 4 bytes 44 accept comment "sid 1"
\t}
}
"""
namespace = pytest.fixture(in_namespace)


@pytest.mark.kernel
def test_the_shares_of_a_rule_are_added_up(namespace):
    nft.load(RULESET)
    found = read_counts(nft.listing(Table("inet", "twinwall")))
    assert found.stateful == {1: Count(26, 2400), 2: Count(2, 20)}
    assert found.stateless == {1: Count(4, 44)}
    assert found.verdicts == {
        "drop_invalid": Count(3, 180),
        "pass_flow_pass": Count(7, 700),
        "drop_flow_drop": Count(2, 20),
        "pass_rule": Count(1, 60),
    }


def test_of_no_table_nothing_is_counted():
    assert not read_counts([]).verdicts
