"""Reading compiled rows for tests: which rules stand in the row that a packet's field leads to."""

from __future__ import annotations

import numpy as np

from twinwall.compile.stateless import compile_stateless
from twinwall.compile.table import RuleTable
from twinwall.path.lookup import block_word, blocks_at, row_at
from twinwall.path.primitives import Pointer
from twinwall.path.table_layout import H_ENTRIES, H_INFO, H_SUMMARIES, INFO_RULE_SHIFT
from twinwall.policy.model import Rule, StatelessStage


def table_of(*rules: Rule) -> RuleTable:
    return compile_stateless(StatelessStage(rules))


def memory_of(record: np.ndarray) -> Pointer:
    return Pointer(bytearray(record.tobytes()))


def rules_in(table: RuleTable, row: int) -> set[int]:
    """The rules that a row of a stateless table holds."""
    words = Pointer(table.words)
    blocks = blocks_at(row_at(words, row), table.header(H_SUMMARIES))
    infos = table.header(H_INFO)
    return {
        int(table.words[infos + place]) >> INFO_RULE_SHIFT
        for place in range(table.header(H_ENTRIES))
        if block_word(words, blocks, place >> 6) >> (place & 63) & 1
    }
