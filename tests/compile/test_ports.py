"""Ports: each leads to the sets that hold it; no ports leads to `any` alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.test_rows import row_bits
from twinwall.compile.ports import compile_ports
from twinwall.compile.rows import RowPool
from twinwall.path.table_layout import PORTLESS
from twinwall.policy.sets import ANY_PORT, PortSet, normalise

PORT = st.one_of(st.sampled_from([0, 1, 79, 80, 81, 1023, 1024, 65534, 65535]), st.integers(0, 65535))
SETS = st.lists(st.tuples(PORT, PORT).map(sorted).map(tuple), max_size=3).map(lambda ranges: PortSet(normalise(ranges)))


@settings(deadline=None)
@given(st.lists(st.one_of(SETS, st.just(ANY_PORT)), min_size=1, max_size=6), PORT)
def test_a_port_leads_to_the_sets_that_hold_it(sets, drawn):
    pool = RowPool(len(sets))
    rows = compile_ports(sets, pool)
    assert len(rows) == 65537
    edges = {edge for each in sets for pair in each.ranges for edge in pair}
    for port in {drawn, *edges, *(edge + 1 for edge in edges if edge < 65535), *(edge - 1 for edge in edges if edge)}:
        assert row_bits(pool, rows[port]) == {number for number, each in enumerate(sets) if each.contains(port)}


def test_a_packet_without_ports_meets_any_and_no_other_set():
    sets = [ANY_PORT, PortSet(((0, 65534),)), ~PortSet(((80, 80),)), PortSet(((0, 65535),))]
    pool = RowPool(len(sets))
    rows = compile_ports(sets, pool)
    assert row_bits(pool, rows[PORTLESS]) == {number for number, each in enumerate(sets) if each.is_any} == {0, 3}


def test_neighbouring_ports_of_no_interest_share_a_row():
    pool = RowPool(1)
    rows = compile_ports([PortSet(((80, 80),))], pool)
    assert len(set(rows.tolist())) == 2
