"""From a packet to the rows of a table: which row stands for its addresses, ports, kind and context, and the scan of rows.

A row is the set of entries that accept one field's value (`path.table_layout`).  Everything here reads the table through
`table_at` alone and runs as eBPF: `steps` bounds the search in one node and is a constant there.
"""

from __future__ import annotations

from twinwall.path.layout import (
    MARK_FRAGMENT,
    MARK_LATER_FRAGMENT,
    MARK_PORTS,
    MARK_REASSEMBLED,
    MARK_TRANSPORT,
    W_HEADER,
    W_KEY,
    W_SACK,
    W_STATUS,
)
from twinwall.path.primitives import Address, branchless, get, opaque, table_at
from twinwall.path.table_layout import (
    BLOCK_WORDS,
    H_BLOCKS,
    H_CONTEXTS,
    H_KIND_ROWS,
    H_KINDS,
    H_PAGES,
    H_ROWS,
    H_STRIDE,
    LEAF,
    PORTLESS,
)

MASK64 = 0xFFFFFFFFFFFFFFFF
MASK32 = 0xFFFFFFFF
ADDRESS_CHUNKS = 4  # of 32 bits
NO_ENTRY = 0xFFFFFFFF
FAMILY_WORDS = 128  # of a directory: 256 numbers of 32 bits for each family


def half_word(table: Address, section: int, index: int) -> int:
    """Number `index` of an array of 32-bit numbers that starts at word `section`."""
    return (table_at(table, section + (index >> 1)) >> ((index & 1) << 5)) & MASK32


def paged(table: Address, section: int, index: int) -> int:
    """Number `index` of the paged array whose directory starts at word `section`."""
    page = half_word(table, section, index >> 8)
    return half_word(table, table_at(table, H_PAGES), (page << 8) | (index & 255))


def search_node(table: Address, record: Address, node: int, chunk: int, steps: int) -> int:
    """The value that a node gives to 32 bits of an address."""
    count = table_at(table, node)
    at = opaque(record, node + 1)
    step = 0
    while step < steps and count > 1:
        half = count >> 1
        count = opaque(record, count - half)
        middle = at + half
        at = opaque(record, at + branchless(half if (table_at(table, middle) >> 32) <= chunk else 0))
        step += 1
    return table_at(table, at) & MASK32


def address_row(table: Address, record: Address, word: int, section: int, steps: int) -> int:
    """The row number of the address in words `word` and `word + 1` of the record; `section`: H_…_INDEX of its side."""
    high = get(record, word)
    low = get(record, word + 1)
    index = table_at(table, section)
    if ((get(record, W_KEY) >> 40) & 0xFF) == 6:
        index += FAMILY_WORDS
    else:
        high = (low << 32) & MASK64
        low = 0
    nodes = table_at(table, section + 1)
    value = paged(table, opaque(record, index), high >> 48)
    level = 0
    while level < ADDRESS_CHUNKS and (value & LEAF) == 0:
        value = opaque(record, search_node(table, record, nodes + value, high >> 32, steps))
        high = opaque(record, ((high << 32) & MASK64) | (low >> 32))
        low = opaque(record, (low << 32) & MASK64)
        level += 1
    return value & (LEAF - 1)


def port_row(table: Address, record: Address, shift: int, section: int) -> int:
    """The row number of the port at bit `shift` of the record's key; `section`: H_SOURCE_PORTS or H_DESTINATION_PORTS."""
    port = (get(record, W_KEY) >> shift) & 0xFFFF
    if ((get(record, W_STATUS) >> 8) & MARK_PORTS) == 0:
        port = PORTLESS
    return paged(table, table_at(table, section), opaque(record, port))


def kind_row(table: Address, record: Address) -> int:
    """The row number of the packet's protocol with its TCP flags or its ICMP type and code."""
    key = get(record, W_KEY)
    transport = (get(record, W_STATUS) >> 8) & MARK_TRANSPORT
    form = table_at(table, table_at(table, H_KINDS) + ((key >> 32) & 0xFF) + (256 if transport else 0))
    header = get(record, W_HEADER)
    message = (((header >> 32) & 0xFF) << 8) | ((header >> 40) & 0xFF)
    place = (form & MASK32) + ((key >> 48) & (form >> 32) & 0xFF) + (message & (form >> 40) & 0xFFFF)
    return paged(table, table_at(table, H_KIND_ROWS), place)


def context_row(table: Address, record: Address) -> int:
    """The row number of what else a rule may ask of any packet: fragment, IP version, interface."""
    marks = (get(record, W_STATUS) >> 8) & 0xFF
    place = (marks & (MARK_FRAGMENT | MARK_LATER_FRAGMENT)) | ((get(record, W_SACK) >> 56) << 4)
    if ((get(record, W_KEY) >> 40) & 0xFF) == 6:
        place |= 4
    if marks & MARK_REASSEMBLED:
        place |= 8
    return paged(table, table_at(table, H_CONTEXTS), place)


def row_at(table: Address, number: int) -> int:
    """Where row `number` starts."""
    return table_at(table, H_ROWS) + number * table_at(table, H_STRIDE)


def block_word(table: Address, numbers: int, word: int) -> int:
    """Word `word` of the row whose block numbers start at word `numbers`."""
    block = half_word(table, numbers, word >> 3)
    return table_at(table, table_at(table, H_BLOCKS) + block * BLOCK_WORDS + (word & (BLOCK_WORDS - 1)))


def four_words(table: Address, a: int, b: int, c: int, d: int) -> int:
    """The AND of four words of the table."""
    return table_at(table, a) & table_at(table, b) & table_at(table, c) & table_at(table, d)


def four_blocks(table: Address, word: int, a: int, b: int, c: int, d: int) -> int:
    """The AND of word `word` of four rows, given where their block numbers start."""
    return block_word(table, a, word) & block_word(table, b, word) & block_word(table, c, word) & block_word(table, d, word)
