"""A stage's table: sections put together behind a header (`path.table_layout`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.addresses import AddressTable, compile_addresses
from twinwall.compile.contexts import compile_contexts
from twinwall.compile.entries import Entry
from twinwall.compile.kinds import KindTable, compile_kinds
from twinwall.compile.ports import compile_ports
from twinwall.compile.rows import RowPool
from twinwall.path.table_layout import (
    H_BLOCKS,
    H_CONTEXTS,
    H_DESTINATION_INDEX,
    H_DESTINATION_NODES,
    H_DESTINATION_PORTS,
    H_ENTRIES,
    H_INFO,
    H_KIND_ROWS,
    H_KINDS,
    H_ROWS,
    H_SOURCE_INDEX,
    H_SOURCE_NODES,
    H_SOURCE_PORTS,
    H_STEPS,
    H_STRIDE,
    H_SUMMARIES,
    H_WORDS,
    HEADER_WORDS,
)
from twinwall.policy.model import Rule

Words = NDArray[np.uint64]
LINE_WORDS = 8  # sections begin on a cache line


@dataclass(frozen=True)
class RuleTable:
    """One compiled stage: `words` is the table, `rules` says what its rule numbers mean."""

    words: Words
    rules: tuple[Rule, ...]

    def header(self, word: int) -> int:
        """A word of the header (`path.table_layout.H_*`)."""
        return int(self.words[word])


@dataclass(frozen=True)
class Fields:
    """The lookup structures of one stage, and the pool that holds the rows they point to."""

    pool: RowPool
    source: AddressTable
    destination: AddressTable
    source_ports: NDArray[np.uint32]
    destination_ports: NDArray[np.uint32]
    kinds: KindTable
    contexts: NDArray[np.uint32]


def compile_fields(entries: Sequence[Entry]) -> Fields:
    """What both stages look at."""
    pool = RowPool(len(entries))
    return Fields(
        pool,
        compile_addresses([each.source for each in entries], pool),
        compile_addresses([each.destination for each in entries], pool),
        compile_ports([each.source_ports for each in entries], pool),
        compile_ports([each.destination_ports for each in entries], pool),
        compile_kinds(entries, pool),
        compile_contexts(entries, pool),
    )


def assemble(fields: Fields, info: Words, numbers: Mapping[int, int], extra: Mapping[int, NDArray[np.generic]]) -> Words:
    """The table.  `info`: two words for each entry; `numbers` and `extra`: further header words and sections, by H_*."""
    pool = fields.pool
    sections: dict[int, NDArray[np.generic]] = {
        H_SOURCE_INDEX: fields.source.index,
        H_SOURCE_NODES: fields.source.nodes,
        H_DESTINATION_INDEX: fields.destination.index,
        H_DESTINATION_NODES: fields.destination.nodes,
        H_SOURCE_PORTS: fields.source_ports,
        H_DESTINATION_PORTS: fields.destination_ports,
        H_KINDS: fields.kinds.forms,
        H_KIND_ROWS: fields.kinds.rows,
        H_CONTEXTS: fields.contexts,
        H_INFO: info,
        **extra,
        H_ROWS: pool.row_words(),
        H_BLOCKS: pool.block_words(),
    }
    header = np.zeros(HEADER_WORDS, np.uint64)
    fixed = {
        H_ENTRIES: len(info) // 2,
        H_WORDS: pool.words,
        H_SUMMARIES: pool.summaries,
        H_STRIDE: pool.stride,
        H_STEPS: max(fields.source.steps, fields.destination.steps),
        **numbers,
    }
    for word, value in fixed.items():
        header[word] = value
    parts = [header]
    place = HEADER_WORDS
    for word, content in sections.items():
        header[word] = place
        padded = _words(content)
        parts.append(padded)
        place += len(padded)
    return np.concatenate(parts)


def _words(content: NDArray[np.generic]) -> Words:
    """A section as words, padded to whole cache lines."""
    raw = np.ascontiguousarray(content).view(np.uint8)
    line = 8 * LINE_WORDS
    return np.pad(raw, (0, -len(raw) % line)).view(np.uint64)
