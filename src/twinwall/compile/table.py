"""A stage's table: sections put together behind a header (`path.table_layout`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.addresses import compile_addresses
from twinwall.compile.contexts import compile_contexts
from twinwall.compile.entries import Entry
from twinwall.compile.kinds import compile_kinds, forms
from twinwall.compile.pages import PagePool
from twinwall.compile.ports import compile_ports
from twinwall.compile.rows import RowPool
from twinwall.path.table_layout import (
    H_BLOCKS,
    H_CONTEXTS,
    H_DESTINATION_INDEX,
    H_DESTINATION_NODES,
    H_DESTINATION_PORTS,
    H_ENTRIES,
    H_KIND_ROWS,
    H_KINDS,
    H_PAGES,
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
    """One compiled stage: `words` is the table, `rules` says what its rule numbers mean.

    `section_words`: the size of every section, by the header word that says where it starts.
    """

    words: Words
    rules: tuple[Rule, ...]
    section_words: Mapping[int, int]

    def header(self, word: int) -> int:
        """A word of the header (`path.table_layout.H_*`)."""
        return int(self.words[word])


class Builder:
    """A table in the making: the rows, blocks and pages that its sections share, and the sections so far."""

    def __init__(self, entries: int) -> None:
        self.rows = RowPool(entries)
        self.sections: dict[int, NDArray[np.generic]] = {}
        self.numbers: dict[int, int] = {H_ENTRIES: entries, H_STEPS: 0}
        self._pages = PagePool()

    def paged(self, section: int, values: NDArray[np.uint32]) -> None:
        """Add an array as pages, and its directory as a section."""
        self.sections[section] = self._pages.add(values)

    def tuple_fields(self, entries: Sequence[Entry]) -> None:
        """Addresses and ports."""
        source = compile_addresses([each.source for each in entries], self.rows)
        destination = compile_addresses([each.destination for each in entries], self.rows)
        self.numbers[H_STEPS] = max(source.steps, destination.steps)
        self.paged(H_SOURCE_INDEX, source.index)
        self.sections[H_SOURCE_NODES] = source.nodes
        self.paged(H_DESTINATION_INDEX, destination.index)
        self.sections[H_DESTINATION_NODES] = destination.nodes
        self.paged(H_SOURCE_PORTS, compile_ports([each.source_ports for each in entries], self.rows))
        self.paged(H_DESTINATION_PORTS, compile_ports([each.destination_ports for each in entries], self.rows))

    def packet_fields(self, entries: Sequence[Entry]) -> None:
        """Protocol with flags or ICMP type; fragment, version and interface."""
        kinds = compile_kinds(entries, self.rows)
        plain = self._pages.add(kinds.plain)
        self.sections[H_KINDS] = forms(int(plain[0]), int(plain[1]))
        self.paged(H_KIND_ROWS, kinds.messages)
        self.paged(H_CONTEXTS, compile_contexts(entries, self.rows))

    def table(self, rules: tuple[Rule, ...]) -> RuleTable:
        """The finished table of `rules`."""
        rows = self.rows
        pages, blocks = _words(self._pages.words()), _words(rows.block_words())
        head = {H_PAGES: pages, H_BLOCKS: blocks, H_ROWS: rows.row_words(HEADER_WORDS + len(pages))}
        sections = {**head, **self.sections}  # pages and blocks first: their places stand in directories and in rows
        numbers = {**self.numbers, H_WORDS: rows.words, H_SUMMARIES: rows.summaries, H_STRIDE: rows.stride}
        header = np.zeros(HEADER_WORDS, np.uint64)
        for word, value in numbers.items():
            header[word] = value
        parts = {word: _words(content) for word, content in sections.items()}
        place = HEADER_WORDS
        for word, part in parts.items():
            header[word] = place
            place += len(part)
        return RuleTable(np.concatenate((header, *parts.values())), rules, {word: len(part) for word, part in parts.items()})


def _words(content: NDArray[np.generic]) -> Words:
    """A section as words, padded to whole cache lines."""
    raw = np.ascontiguousarray(content).view(np.uint8)
    line = 8 * LINE_WORDS
    return np.pad(raw, (0, -len(raw) % line)).view(np.uint64)
