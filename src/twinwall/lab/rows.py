"""Which row of the table a packet belongs to: the row in which its conversation began, else the one that was playing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from twinwall.lab.crossing import Crossing
from twinwall.lab.header import header

BEFORE = -1  # no row was playing yet


def assign(crossed: Sequence[Crossing], starts: Sequence[int]) -> list[int]:
    """The row of each packet; `starts` are the rows' beginnings, in order."""
    began: dict[frozenset[object], int] = {}
    rows = []
    for each in crossed:
        playing = bisect_right(starts, each.time) - 1
        flow = header(each.packet).flow
        rows.append(playing if flow is None else began.setdefault(flow, playing))
    return rows
