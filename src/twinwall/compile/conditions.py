"""Conditions on small fields, as the set of values that they accept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.rows import Intervals
from twinwall.policy.model import Condition, PacketField

Accepted = NDArray[np.bool_]


def accepted_values(conditions: Iterable[Condition], field: PacketField, size: int) -> Accepted:
    """Which of the values 0 … size - 1 all `conditions` on `field` accept."""
    values = np.arange(size)
    accepted = np.ones(size, np.bool_)
    for condition in conditions:
        if condition.field is field:
            masked = values & condition.mask
            inside = np.zeros(size, np.bool_)
            for low, high in condition.ranges:
                inside |= (masked >= low) & (masked <= high)
            accepted &= inside != condition.negated
    return accepted


def intervals_of(which: Sequence[int], accepted: Sequence[Accepted]) -> Intervals:
    """The intervals of cells of every entry, where entry i accepts `accepted[which[i]]`."""
    runs = [_runs(each) for each in accepted]
    entry = np.repeat(np.arange(len(which)), [len(runs[number]) for number in which])
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *(runs[number] for number in which)])
    return Intervals(entry, pairs[:, 0], pairs[:, 1])


def _runs(accepted: Accepted) -> NDArray[np.int64]:
    """Half-open ranges of the cells that are accepted."""
    edges = np.flatnonzero(np.diff(accepted.astype(np.int8), prepend=0, append=0))
    return edges.reshape(-1, 2)
