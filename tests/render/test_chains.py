"""Chains: equal ones are written once."""

from __future__ import annotations

import pytest

from twinwall.render.chains import Chains


def test_equal_chains_share_the_first_name():
    chains = Chains()
    assert chains.share("one", ["accept"]) == "one"
    assert chains.share("two", ["accept"]) == "one"
    assert chains.text() == "\tchain one {\n\t\taccept\n\t}\n"


def test_different_chains_of_one_name_are_numbered():
    chains = Chains()
    assert [chains.share("walk", [line]) for line in ("accept", "drop", "return")] == ["walk", "walk_2", "walk_3"]
    assert "walk_3" in chains


def test_a_name_that_must_be_kept_is_taken_once():
    chains = Chains()
    chains.add("judge", ["accept"])
    with pytest.raises(AssertionError):
        chains.add("judge", ["drop"])
