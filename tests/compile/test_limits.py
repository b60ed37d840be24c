"""What is too large is refused with the numbers, the place and a remedy; what just fits is not."""

from __future__ import annotations

import pytest

from tests.compile.generate import make_rule
from twinwall.compile.limits import TooLargeError, check_cells, check_entries, refusal
from twinwall.policy.codes import Code


def test_the_largest_number_of_entries_passes_and_one_more_does_not():
    check_entries(1_048_576)
    with pytest.raises(TooLargeError, match=r"1,048,577 rules .* more than 1,048,576"):
        check_entries(1_048_577)


@pytest.mark.parametrize(("cells", "blocks"), [(40_000_000, 1), (8_000_000, 5), (1, 40_000_000)])
def test_what_counts_is_cells_times_blocks(cells, blocks):
    check_cells(cells, blocks)
    with pytest.raises(TooLargeError, match=rf"{cells + 1:,} different address ranges times {512 * blocks:,} rules"):
        check_cells(cells + 1, blocks)


def test_a_hundred_thousand_rules_with_two_addresses_each_fit():
    check_entries(100_000)
    check_cells(200_002, -(-100_000 // 512))


def test_the_refusal_names_the_stage_and_points_at_its_first_rule():
    rules = (make_rule(), make_rule())
    (found,) = refusal(TooLargeError("too much of it"), "stateful", rules).diagnostics
    assert (found.code, found.span) == (Code.TOO_MANY_RULES, rules[0].span)
    assert found.message == "the stateful stage is too large: too much of it"
    assert "list" in found.hint
