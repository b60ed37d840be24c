"""Ports: one row number for each port, and one for packets that have none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.rows import Intervals, RowPool, ascending
from twinwall.path.table_layout import PORTLESS
from twinwall.policy.sets import PortSet

PLACES = PORTLESS + 1


def compile_ports(sets: Sequence[PortSet], pool: RowPool) -> NDArray[np.uint32]:
    """65,537 row numbers.  `any` ports also accept a packet without ports; every other set, even a negated one, does not."""
    numbers: dict[PortSet, int] = {}
    which = [numbers.setdefault(each, len(numbers)) for each in sets]
    ranges = [_ranges(each) for each in numbers]
    entry = np.repeat(np.arange(len(which)), [len(ranges[number]) for number in which])
    pairs = np.array([pair for number in which for pair in ranges[number]], np.int64).reshape(-1, 2)
    edges = ascending(np.concatenate((np.zeros(1, np.int64), pairs.reshape(-1))))
    edges = edges[edges < PLACES]
    start = np.searchsorted(edges, pairs[:, 0])
    stop = np.searchsorted(edges, pairs[:, 1])
    rows = pool.add(len(edges), Intervals(entry, start, stop))
    return np.repeat(rows, np.diff(edges, append=PLACES))


def _ranges(ports: PortSet) -> tuple[tuple[int, int], ...]:
    """Half-open ranges of places."""
    if ports.is_any:
        return ((0, PLACES),)
    return tuple((low, high + 1) for low, high in ports.ranges)
