"""From a packet to the rows of a table: which row stands for its addresses, ports, kind and context, and the scan of rows.

A row is the set of entries that accept one field's value (`path.table_layout`).  Everything here reads the table
through the `table_` primitives alone and runs as eBPF: `steps` bounds the search in one node.
"""

from __future__ import annotations

from twinwall.path.layout import (
    MARK_FRAGMENT,
    MARK_LATER_FRAGMENT,
    MARK_PORTS,
    MARK_REASSEMBLED,
    MARK_TRANSPORT,
    W_HEADER,
    W_SACK,
)
from twinwall.path.primitives import Address, another, branchless, get, opaque, table_at, table_u32
from twinwall.path.table_layout import (
    BLOCK_WORDS,
    FORM_FLAGS_SHIFT,
    FORM_MESSAGE,
    FORM_PLACE,
    H_CONTEXTS,
    H_KIND_ROWS,
    H_KINDS,
    H_ROWS,
    H_STRIDE,
    LEAF,
    PAGE_BITS,
    PORTLESS,
    SPREAD,
)

MASK64 = 0xFFFFFFFFFFFFFFFF
MASK32 = 0xFFFFFFFF
ADDRESS_CHUNKS = 4  # of 32 bits
FAMILY_PAGES = 256  # of an address index


def half_word(table: Address, section: int, index: int) -> int:
    """Number `index` of an array of 32-bit numbers that starts at word `section`."""
    return table_u32(table, (section << 1) + index)


def paged(table: Address, section: int, index: int) -> int:
    """Number `index` of the paged array whose directory starts at word `section`."""
    page = half_word(table, section, index >> PAGE_BITS)
    return table_u32(table, page + (index & ((1 << PAGE_BITS) - 1)))


def search_node(table: Address, record: Address, node: int, chunk: int, steps: int) -> int:
    """The value that a node gives to 32 bits of an address, which stand in the upper half of `chunk`."""
    last = chunk | MASK32
    count = table_at(table, node)
    at = opaque(record, node + 1)
    step = 0
    while count > 1 and another(step, steps):
        half = count >> 1
        count = opaque(record, count - half)
        at = opaque(record, at + branchless(half if table_at(table, at + half) <= last else 0))
        step += 1
    return table_at(table, at) & MASK32


def address_row(table: Address, record: Address, word: int, section: int, version: int, steps: int) -> int:
    """The row number of the address in words `word` and `word + 1` of the record; `section`: H_…_INDEX of its side."""
    high = get(record, word)
    low = get(record, word + 1)
    first = 0
    if version == 6:
        first = FAMILY_PAGES << PAGE_BITS
    else:
        high = (low << 32) & MASK64
        low = 0
    value = paged(table, table_at(table, section), opaque(record, first + (high >> 48)))
    nodes = table_at(table, section + 1)
    if value & SPREAD:
        value = half_word(table, nodes + (value & (SPREAD - 1)), (high >> 40) & 0xFF)
        if value & SPREAD:
            value = half_word(table, nodes + (value & (SPREAD - 1)), (high >> 32) & 0xFF)
    value = opaque(record, value)
    level = 0
    while level < ADDRESS_CHUNKS and (value & LEAF) == 0:
        value = opaque(record, search_node(table, record, nodes + value, high, steps))
        high = opaque(record, ((high << 32) & MASK64) | (low >> 32))
        low = opaque(record, (low << 32) & MASK64)
        level += 1
    return value & (LEAF - 1)


def port_row(table: Address, record: Address, port: int, status: int, section: int) -> int:
    """The row number of `port`, where the packet has ports; `section`: H_SOURCE_PORTS or H_DESTINATION_PORTS."""
    if (status & (MARK_PORTS << 8)) == 0:
        port = PORTLESS
    return paged(table, table_at(table, section), opaque(record, port))


def kind_row(table: Address, record: Address, key: int, status: int) -> int:
    """The row number of the packet's protocol with its TCP flags or its ICMP type and code."""
    transport = 256 if status & (MARK_TRANSPORT << 8) else 0
    form = table_at(table, table_at(table, H_KINDS) + transport + ((key >> 32) & 0xFF))
    place = form & FORM_PLACE
    if form & FORM_MESSAGE:
        return paged(table, table_at(table, H_KIND_ROWS), place + ((get(record, W_HEADER) >> 32) & 0xFFFF))
    return table_u32(table, opaque(record, place + ((form >> FORM_FLAGS_SHIFT) & (key >> 48) & 0xFF)))


def context_row(table: Address, record: Address, key: int, status: int) -> int:
    """The row number of what else a rule may ask of any packet: fragment, IP version, interface."""
    marks = status >> 8
    place = (marks & (MARK_FRAGMENT | MARK_LATER_FRAGMENT)) | ((get(record, W_SACK) >> 56) << 4)
    if ((key >> 40) & 0xFF) == 6:
        place |= 4
    if marks & MARK_REASSEMBLED:
        place |= 8
    return paged(table, table_at(table, H_CONTEXTS), place)


def row_at(table: Address, number: int) -> int:
    """Where row `number` starts."""
    return table_at(table, H_ROWS) + number * table_at(table, H_STRIDE)


def blocks_at(row: int, summaries: int) -> int:
    """Where the row that starts at `row` says where its blocks start: as an index of 32-bit numbers."""
    return (row + summaries) << 1


def block_word(table: Address, blocks: int, word: int) -> int:
    """Word `word` of the row whose `blocks_at` is `blocks`."""
    return table_at(table, table_u32(table, blocks + (word >> 3)) + (word & (BLOCK_WORDS - 1)))


def four_words(table: Address, a: int, b: int, c: int, d: int) -> int:
    """The AND of four words of the table."""
    return table_at(table, a) & table_at(table, b) & table_at(table, c) & table_at(table, d)


def four_blocks(table: Address, word: int, a: int, b: int, c: int, d: int) -> int:
    """The AND of word `word` of four rows, given by their `blocks_at`."""
    return block_word(table, a, word) & block_word(table, b, word) & block_word(table, c, word) & block_word(table, d, word)
