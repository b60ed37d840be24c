"""The vocabulary of verdicts: numbers that fit where they are stored, names and sentences that people can tell apart."""

from __future__ import annotations

import re

import pytest

from twinwall.path.reason import CtState, Direction, Reason, StageName, Verdict


def test_every_reason_has_a_number_a_word_and_a_sentence_of_its_own():
    assert all(0 < reason < 256 for reason in Reason)
    assert len({reason.explanation for reason in Reason}) == len(set(map(int, Reason))) == len(Reason)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.name.lower()) for reason in Reason)
    assert all(reason.explanation[0].islower() and not reason.explanation.endswith(".") for reason in Reason)


@pytest.mark.parametrize(("reason", "number"), [("NOT_IP", 1), ("SNAPPED", 22), ("STATELESS_RULE", 40), ("NO_RULE", 78)])
def test_a_reason_is_found_by_its_stored_number(reason, number):
    assert Reason(number) is Reason[reason]
    with pytest.raises(ValueError, match="not a valid"):
        Reason(0)  # 0 is "no reason": the packet path tests for it


@pytest.mark.parametrize("kind", [Verdict, StageName, CtState, Direction])
def test_the_other_words_count_from_zero(kind):
    assert [int(each) for each in kind] == list(range(len(kind)))


def test_the_labels_are_those_of_linux():
    assert [each.name for each in CtState][1:] == ["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"]
