"""From a packet to its rows: each field leads to the row of exactly the rules that accept it."""

from __future__ import annotations

import random
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.generate import make_record, make_rule, some_address, some_addresses
from tests.path.reading import memory_of, rules_in, table_of
from twinwall.path.layout import (
    MARK_FRAGMENT,
    MARK_IP,
    MARK_LATER_FRAGMENT,
    MARK_PORTS,
    MARK_REASSEMBLED,
    MARK_TRANSPORT,
    W_DST_HI,
    W_KEY,
    W_SRC_HI,
    W_STATUS,
)
from twinwall.path.lookup import address_row, blocks_at, context_row, four_blocks, four_words, half_word, kind_row, port_row
from twinwall.path.primitives import Pointer, get
from twinwall.path.table_layout import (
    H_DESTINATION_INDEX,
    H_DESTINATION_PORTS,
    H_ROWS,
    H_SOURCE_INDEX,
    H_SOURCE_PORTS,
    H_STEPS,
    H_STRIDE,
)
from twinwall.policy.model import Condition, PacketField
from twinwall.policy.sets import ANY_PORT, AddressSet, PortSet

F = PacketField
PORTS = MARK_PORTS << 8


def row_of(look_up, table, fields):
    record = memory_of(make_record(**fields))
    return look_up(Pointer(table.words), record, get(record, W_KEY), get(record, W_STATUS))


def by_address(table, version, address, side="src"):
    record = make_record(version=version, **{f"{side}_hi": address >> 64, f"{side}_lo": address & ((1 << 64) - 1)})
    word, index = (W_SRC_HI, H_SOURCE_INDEX) if side == "src" else (W_DST_HI, H_DESTINATION_INDEX)
    return rules_in(table, address_row(Pointer(table.words), memory_of(record), word, index, version, table.header(H_STEPS)))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1 << 32))
def test_an_address_leads_to_the_rules_that_hold_it(seed):
    rng = random.Random(seed)
    sets = [some_addresses(rng) for _ in range(12)]
    source = table_of(*[make_rule(source=each) for each in sets])
    destination = table_of(*[make_rule(destination=each) for each in sets])
    for version in (4, 4, 6, 6):
        address = some_address(rng, version)
        expected = {number for number, each in enumerate(sets) if each.contains(version, address)}
        assert by_address(source, version, address) == expected
        assert by_address(destination, version, address, "dst") == expected


def test_the_low_half_of_an_ipv6_address_is_no_ipv4_address():
    table = table_of(
        make_rule(source=AddressSet.of(ip_network("10.0.0.1"))), make_rule(source=AddressSet.of(ip_network("::a00:1")))
    )
    assert by_address(table, 4, 0x0A000001) == {0}
    assert by_address(table, 6, 0x0A000001) == {1}


PORT_SETS = [ANY_PORT, PortSet(((80, 80),)), PortSet(((1024, 65535),)), ~PortSet(((80, 80),)), PortSet(((0, 0), (255, 256)))]


@pytest.mark.parametrize("port", [0, 1, 79, 80, 81, 255, 256, 257, 1023, 1024, 65535])
def test_a_port_leads_to_the_rules_that_hold_it(port):
    expected = {number for number, each in enumerate(PORT_SETS) if each.contains(port)}
    source = table_of(*[make_rule(source_ports=each) for each in PORT_SETS])
    destination = table_of(*[make_rule(destination_ports=each) for each in PORT_SETS])
    record = memory_of(make_record())
    assert rules_in(source, port_row(Pointer(source.words), record, port, PORTS, H_SOURCE_PORTS)) == expected
    assert rules_in(destination, port_row(Pointer(destination.words), record, port, PORTS, H_DESTINATION_PORTS)) == expected


def test_a_packet_without_ports_leads_to_the_rules_for_any_port():
    table = table_of(*[make_rule(destination_ports=each) for each in PORT_SETS])
    status = (MARK_IP | MARK_TRANSPORT) << 8
    assert rules_in(table, port_row(Pointer(table.words), memory_of(make_record()), 80, status, H_DESTINATION_PORTS)) == {0}


KINDS = [
    make_rule(),
    make_rule(protocols=frozenset({6})),
    make_rule(protocols=frozenset({1, 58})),
    make_rule(conditions=(Condition(F.TCP_FLAGS, ((2, 2),), mask=0x12),)),
    make_rule(conditions=(Condition(F.TCP_FLAGS, ((2, 2),), mask=0x12, negated=True),)),
    make_rule(conditions=(Condition(F.ICMP_TYPE, ((8, 8), (128, 128))),)),
    make_rule(conditions=(Condition(F.ICMP_TYPE, ((3, 3),)), Condition(F.ICMP_CODE, ((1, 4),)))),
    make_rule(conditions=(Condition(F.PROTOCOL, ((6, 17),)),)),
]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"proto": 6, "tcp_flags": 2}, {0, 1, 3, 7}),
        ({"proto": 6, "tcp_flags": 18}, {0, 1, 4, 7}),
        ({"proto": 6, "tcp_flags": 0xC2}, {0, 1, 3, 7}),
        ({"proto": 17}, {0, 7}),
        ({"proto": 18}, {0}),
        ({"proto": 1, "icmp_type": 8}, {0, 2, 5}),
        ({"proto": 58, "icmp_type": 128}, {0, 2, 5}),
        ({"proto": 1, "icmp_type": 3, "icmp_code": 4}, {0, 2, 6}),
        ({"proto": 1, "icmp_type": 3, "icmp_code": 5}, {0, 2}),
        ({"proto": 6, "tcp_flags": 2, "marks": MARK_IP}, {0, 1, 7}),  # a later piece has no flags
        ({"proto": 1, "icmp_type": 8, "marks": MARK_IP}, {0, 2}),
        ({"proto": 0}, {0}),
        ({"proto": 255}, {0}),
    ],
)
def test_protocol_flags_and_message_lead_to_their_rules(fields, expected):
    table = table_of(*KINDS)
    assert rules_in(table, row_of(kind_row, table, fields)) == expected


CONTEXTS = [
    make_rule(),
    make_rule(conditions=(Condition(F.FRAGMENT, ((1, 2),)),)),
    make_rule(conditions=(Condition(F.FRAGMENT, ((2, 2),)),)),
    make_rule(conditions=(Condition(F.IP_VERSION, ((6, 6),)),)),
    make_rule(conditions=(Condition(F.INTERFACE, ((3, 3), (255, 255))),)),
]
PIECE = MARK_IP | MARK_FRAGMENT


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {0}),
        ({"marks": PIECE}, {0, 1}),
        ({"marks": PIECE | MARK_LATER_FRAGMENT}, {0, 1, 2}),
        ({"marks": MARK_IP | MARK_REASSEMBLED}, {0}),
        ({"version": 6}, {0, 3}),
        ({"interface": 3}, {0, 4}),
        ({"interface": 4}, {0}),
        ({"interface": 255, "version": 6, "marks": PIECE}, {0, 1, 3, 4}),
    ],
)
def test_fragment_version_and_interface_lead_to_their_rules(fields, expected):
    table = table_of(*CONTEXTS)
    assert rules_in(table, row_of(context_row, table, fields)) == expected


def test_numbers_of_32_bits_stand_two_in_a_word_the_lower_first():
    table = Pointer((0x1111111122222222).to_bytes(8, "little") + (0x3333333344444444).to_bytes(8, "little"))
    assert [half_word(table, 0, number) for number in range(4)] == [0x22222222, 0x11111111, 0x44444444, 0x33333333]


def test_four_words_and_four_blocks_are_what_all_have_in_common():
    rules = [make_rule(source_ports=PortSet(((n, n),)), destination_ports=PortSet(((5, 9),))) for n in range(5)]
    table = table_of(*rules)
    words = Pointer(table.words)
    record = memory_of(make_record())
    starts = [
        table.header(H_ROWS) + table.header(H_STRIDE) * port_row(words, record, 3, PORTS, H_SOURCE_PORTS),
        table.header(H_ROWS) + table.header(H_STRIDE) * port_row(words, record, 7, PORTS, H_DESTINATION_PORTS),
    ]
    assert four_words(words, starts[0], starts[1], starts[0], starts[1]) == 1  # one word of entries, not empty
    blocks = [blocks_at(start, 1) for start in starts]
    assert four_blocks(words, 0, blocks[0], blocks[1], blocks[1], blocks[1]).bit_count() == 1
