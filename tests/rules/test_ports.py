from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.policy.sets import ANY_PORT
from twinwall.rules.located import Mistake
from twinwall.rules.ports import print_ports, read_item, settle, union

RANGES = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted).map(lambda pair: f"{pair[0]}:{pair[1]}")


@given(st.lists(RANGES, min_size=1, max_size=5))
def test_included_and_excluded_ports_share_nothing_and_miss_nothing(items):
    some = union(map(read_item, items))
    rest = settle(None, some)
    sizes = [sum(high - low + 1 for low, high in each.ranges) for each in (some, rest)]
    assert sum(sizes) == 65536
    assert union([some, rest]) == ANY_PORT


def test_canonical_texts():
    assert [print_ports(read_item(text)) for text in ("80:80", "0:10", "1024:65535", "any")] == ["80", ":10", "1024:", "any"]


@pytest.mark.parametrize("text", ["65536", "10:5", "1-5", "http", "-1"])
def test_what_is_no_port_is_a_mistake(text):
    with pytest.raises(Mistake):
        read_item(text)
