"""What a table is made of, in numbers: for `check`, for documentation, and for whoever wonders where the memory goes."""

from __future__ import annotations

from dataclasses import dataclass

from twinwall.compile.table import RuleTable
from twinwall.path.table_layout import (
    BLOCK_WORDS,
    H_BLOCKS,
    H_DESTINATION_NODES,
    H_ENTRIES,
    H_PAGES,
    H_ROWS,
    H_SOURCE_NODES,
    H_STEPS,
    H_STRIDE,
)

PAGE_WORDS = 128


@dataclass(frozen=True, slots=True)
class TableSize:
    """Sizes of one stage; `entries` counts a two-way rule twice, `steps` is the longest search in an address node."""

    rules: int
    entries: int
    rows: int
    blocks: int
    pages: int
    steps: int
    bytes: int
    row_bytes: int
    block_bytes: int
    node_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.rules:,} rules in {self.bytes:,} bytes: {self.rows:,} rows of {self.entries:,} bits in {self.row_bytes:,}, "
            f"{self.blocks:,} shared blocks in {self.block_bytes:,}, address nodes in {self.node_bytes:,}"
        )


def table_size(table: RuleTable) -> TableSize:
    """Measure a compiled stage."""
    size = table.section_words
    return TableSize(
        rules=len(table.rules),
        entries=table.header(H_ENTRIES),
        rows=size[H_ROWS] // table.header(H_STRIDE),
        blocks=size[H_BLOCKS] // BLOCK_WORDS,
        pages=size[H_PAGES] // PAGE_WORDS,
        steps=table.header(H_STEPS),
        bytes=table.words.nbytes,
        row_bytes=8 * size[H_ROWS],
        block_bytes=8 * size[H_BLOCKS],
        node_bytes=8 * (size[H_SOURCE_NODES] + size[H_DESTINATION_NODES]),
    )
