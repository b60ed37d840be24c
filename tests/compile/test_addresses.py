"""Addresses: the search finds the row of the elementary interval that an address lies in, in both families."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.generate import make_record
from tests.compile.test_rows import row_bits
from twinwall.compile.addresses import compile_addresses
from twinwall.compile.pages import PagePool
from twinwall.compile.rows import RowPool
from twinwall.path.layout import W_SRC_HI
from twinwall.path.lookup import address_row
from twinwall.path.primitives import Pointer
from twinwall.path.table_layout import H_SOURCE_INDEX, H_SOURCE_NODES, HEADER_WORDS
from twinwall.policy.sets import AddressSet, normalise

V4 = st.one_of(st.integers(0, (1 << 32) - 1), st.sampled_from([0, 0xFFFF, 0x10000, 0x1FFFF, (1 << 32) - 1]))
V6 = st.one_of(
    st.integers(0, (1 << 128) - 1),
    st.builds(lambda high, low: (high << 96) + low, st.sampled_from([0, 0x20010DB8]), st.integers(0, 1 << 66)),
    st.sampled_from([0, (1 << 96) - 1, 1 << 96, (1 << 128) - 1]),
)


def intervals(values):
    return st.lists(st.tuples(values, values).map(sorted).map(tuple), max_size=3).map(normalise)


def find(sets, version, address):
    """The numbers of the sets that hold the address, by the table."""
    pool, pages = RowPool(len(sets)), PagePool()
    table = compile_addresses(sets, pool)
    directory = pages.add(table.index).view(np.uint64)
    places = {H_SOURCE_INDEX: HEADER_WORDS + len(pages.words())}
    places[H_SOURCE_NODES] = places[H_SOURCE_INDEX] + len(directory)
    header = np.zeros(HEADER_WORDS, np.uint64)
    for word, place in places.items():
        header[word] = place
    words = np.concatenate((header, pages.words(), directory, table.nodes))
    record = make_record(version=version, src_hi=address >> 64, src_lo=address & ((1 << 64) - 1))
    at = Pointer(bytearray(record.tobytes()))
    number = address_row(Pointer(words), at, W_SRC_HI, H_SOURCE_INDEX, version, table.steps)
    return row_bits(pool, number)


@settings(deadline=None)
@given(st.lists(st.builds(AddressSet, intervals(V4), intervals(V6)), max_size=6), st.data())
def test_the_search_finds_what_holds_the_address(sets, data):
    for version, values in ((4, V4), (6, V6)):
        edges = [edge for each in sets for pair in (each.v4 if version == 4 else each.v6) for edge in pair]
        address = data.draw(st.one_of(values, st.sampled_from(edges or [0])))
        assert find(sets, version, address) == {n for n, each in enumerate(sets) if each.contains(version, address)}


@settings(deadline=None)
@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 255)), min_size=10, max_size=60), st.data())
def test_prefixes_with_many_bounds_are_told_apart_to_the_last_address(places, data):
    """In one /16, so that its bytes are indices, and some of them in a /24 where the last byte is one too."""
    addresses = sorted(0x0A050000 | third << 8 | fourth for third, fourth in places)
    sets = [
        AddressSet(((low, min(low + 1, high - 1)),), ()) for low, high in zip(addresses, [*addresses[1:], 1 << 32], strict=True)
    ]
    address = data.draw(st.sampled_from(addresses)) + data.draw(st.integers(-1, 2))
    assert find(sets, 4, address) == {n for n, each in enumerate(sets) if each.contains(4, address)}


def test_every_edge_of_a_prefix_is_sharp_at_every_length():
    for version, bits in ((4, 32), (6, 128)):
        for length in range(0, bits + 1, 1 if version == 4 else 3):
            low = (0x5555 << (bits - 16)) >> (bits - length) << (bits - length)
            high = low | ((1 << (bits - length)) - 1)
            one = AddressSet(((low, high),), ()) if version == 4 else AddressSet((), ((low, high),))
            for address in (low - 1, low, high, high + 1):
                if 0 <= address < 1 << bits:
                    assert find([one], version, address) == ({0} if low <= address <= high else set())
