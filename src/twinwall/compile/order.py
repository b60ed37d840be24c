"""In which order entries stand in the rows that are searched.

A word of 64 entries is looked at if, for every field, one of its entries accepts: with rules as written that is nearly every
word, because rules with `any` source, with `any` destination and with neither stand mixed, and each word holds some of each.
Sorted by source set, then destination set, then ports, entries that ask the same stand together; a packet then finds
something in few words.  Inside a word the written order stays, so the lowest bit is the word's first rule.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.entries import Entry


def search_order(entries: Sequence[Entry]) -> NDArray[np.int64]:
    """For every place of the searched rows, which entry stands there."""
    keys = (
        np.arange(len(entries)),
        _ranks(each.source_ports.ranges for each in entries),
        _ranks(each.destination_ports.ranges for each in entries),
        _ranks((each.destination.v4, each.destination.v6) for each in entries),
        _ranks((each.source.v4, each.source.v6) for each in entries),
    )
    order = np.lexsort(keys)
    whole = len(order) // 64 * 64
    order[:whole].reshape(-1, 64).sort(axis=1)
    order[whole:].sort()
    return order


def _ranks(values: Iterable[Hashable]) -> NDArray[np.int64]:
    """Each value's place among the distinct values."""
    numbers: dict[Any, int] = {}
    which = np.array([numbers.setdefault(each, len(numbers)) for each in values], np.int64)
    place = np.empty(len(numbers), np.int64)
    place[[numbers[each] for each in sorted(numbers)]] = np.arange(len(numbers))
    return place[which]
