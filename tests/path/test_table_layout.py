"""The map of a compiled stage: every section lies where the header says, and fields of one word do not overlap."""

from __future__ import annotations

import random

import pytest

from tests.compile.generate import FLOWBITS, some_rule, some_stateful_rule
from twinwall.compile.policy import compile_policy
from twinwall.path import table_layout as layout
from twinwall.path.table_layout import (
    H_ENTRIES,
    H_SUMMARIES,
    H_WORDS,
    HEADER_WORDS,
    INFO_ACTION,
    INFO_FLOW,
    INFO_LOG,
    INFO_REASON_SHIFT,
    INFO_RULE_SHIFT,
)
from twinwall.policy.model import Policy, StatefulStage, StatelessStage


def tables():
    rng = random.Random(3)
    compiled = compile_policy(
        Policy(
            stateless=StatelessStage(tuple(some_rule(rng) for _ in range(90))),
            stateful=StatefulStage(tuple(some_stateful_rule(rng) for _ in range(90))),
            flowbits=FLOWBITS,
        )
    )
    return compiled.stateless, compiled.stateful


@pytest.mark.parametrize("table", tables(), ids=["stateless", "stateful"])
def test_sections_follow_the_header_one_after_the_other_on_cache_lines(table):
    places = sorted((table.header(word), size) for word, size in table.section_words.items())
    expected = HEADER_WORDS
    for start, size in places:
        assert start == expected
        assert start % 8 == 0
        expected += size
    assert expected == len(table.words)


@pytest.mark.parametrize("table", tables(), ids=["stateless", "stateful"])
def test_there_are_words_for_every_entry_and_summaries_for_every_word(table):
    assert table.header(H_WORDS) * 64 >= table.header(H_ENTRIES) > (table.header(H_WORDS) - 1) * 64
    assert table.header(H_SUMMARIES) * 64 >= table.header(H_WORDS)


def test_every_header_word_is_its_own():
    numbers = [value for name, value in vars(layout).items() if name.startswith("H_")]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < HEADER_WORDS


def test_an_info_has_room_for_all_of_its_fields():
    assert INFO_ACTION & INFO_FLOW == INFO_ACTION & INFO_LOG == INFO_FLOW & INFO_LOG == 0
    assert INFO_ACTION | INFO_FLOW | INFO_LOG < 1 << INFO_REASON_SHIFT
    assert INFO_REASON_SHIFT + 8 <= INFO_RULE_SHIFT


@pytest.mark.parametrize("prefix", ["ACTION_", "OP_"])
def test_actions_and_operations_are_told_apart(prefix):
    numbers = [value for name, value in vars(layout).items() if name.startswith(prefix)]
    assert sorted(numbers) == list(range(len(numbers)))
