from __future__ import annotations

from random import Random

import pytest

from tests.fidelity.minimise import smallest


@pytest.mark.parametrize("needed", [{3}, {0, 99}, {10, 11, 12}, set(range(0, 100, 9))])
def test_only_what_the_failure_needs_is_left(needed: set[int]):
    assert set(smallest(list(range(100)), lambda kept: needed <= set(kept))) == needed


def test_a_failure_that_needs_nothing_leaves_nothing():
    assert smallest(list(range(7)), lambda kept: True) == []


def test_a_failure_that_needs_everything_keeps_the_order():
    items = Random(1).sample(range(50), 9)
    assert smallest(items, lambda kept: len(kept) == 9) == items
