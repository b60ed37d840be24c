"""Numbers as they stand on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.path.primitives import Pointer
from twinwall.path.wire import be16, be32, be64

LOADS = ((be16, 2), (be32, 4), (be64, 8))


@given(st.binary(min_size=20, max_size=20), st.integers(0, 6), st.integers(0, 6))
def test_the_first_byte_is_the_highest(data, base, offset):
    for load, size in LOADS:
        at = base + offset
        assert load(Pointer(data) + base, offset) == int.from_bytes(data[at : at + size])


@pytest.mark.parametrize(("load", "size"), LOADS)
def test_a_number_needs_all_of_its_bytes(load, size):
    assert load(Pointer(b"\xff" * size), 0) == (1 << 8 * size) - 1
    with pytest.raises(IndexError):
        load(Pointer(b"\xff" * size), 1)
