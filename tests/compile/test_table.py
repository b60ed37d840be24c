"""A table put together: sections on cache lines behind the header, found again by their words."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compile.generate import make_rule
from twinwall.compile.entries import entries_of
from twinwall.compile.table import Builder
from twinwall.path.table_layout import (
    H_DEFAULT,
    H_ENTRIES,
    H_INFO,
    H_PAGES,
    H_PROTOCOLS,
    H_SOURCE_NODES,
    H_SOURCE_PORTS,
    H_WORDS,
    HEADER_WORDS,
)


def built():
    entries = entries_of([make_rule()])
    builder = Builder(len(entries))
    builder.tuple_fields(entries)
    builder.packet_fields(entries)
    return builder


@pytest.mark.parametrize("count", [1, 7, 8, 9])
@pytest.mark.parametrize("kind", [np.uint64, np.uint32])
def test_a_section_is_found_where_the_header_says(count, kind):
    builder = built()
    builder.sections[H_INFO] = np.arange(1, count + 1, dtype=kind)
    builder.sections[H_PROTOCOLS] = np.full(3, 9, np.uint64)
    table = builder.table(())
    for word, expected in ((H_INFO, np.arange(1, count + 1, dtype=kind)), (H_PROTOCOLS, np.full(3, 9, np.uint64))):
        start = table.header(word)
        section = table.words[start : start + table.section_words[word]].view(expected.dtype)
        assert start >= HEADER_WORDS
        assert start % 8 == table.section_words[word] % 8 == 0
        assert section[: len(expected)].tolist() == expected.tolist()
        assert not section[len(expected) :].any()


def test_numbers_stand_in_the_header_itself():
    builder = built()
    builder.numbers[H_DEFAULT] = 0x020100
    table = builder.table((make_rule(),))
    assert (table.header(H_DEFAULT), table.header(H_ENTRIES), table.header(H_WORDS)) == (0x020100, 1, 1)
    assert len(table.rules) == 1
    assert H_DEFAULT not in table.section_words


def test_paged_arrays_share_their_pages():
    builder = built()
    one = builder.table(())
    builder.paged(H_PROTOCOLS, np.zeros(65536, np.uint32))
    again = builder.table(())
    assert again.section_words[H_PROTOCOLS] == 128
    assert again.section_words[H_PAGES] <= one.section_words[H_PAGES] + 128


def test_tuple_fields_and_packet_fields_fill_their_sections():
    table = built().table(())
    assert {H_SOURCE_NODES, H_SOURCE_PORTS, H_PAGES} <= set(table.section_words)
    assert all(size > 0 for size in table.section_words.values())
