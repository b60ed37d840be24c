"""Who sends the most of something, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray

from twinwall.engine.batch import address_text

CAPACITY = 65_536  # sources remembered


@dataclass(frozen=True)
class Talker:
    """A source address and what it sent."""

    address: str
    packets: int
    bytes: int


@dataclass
class Talkers:
    """Packets and bytes by source address.

    Exact up to `capacity` sources.  Beyond that the smaller half is forgotten: a source that comes back starts at zero, so
    its count is then a lower bound, and `exact` is False.
    """

    capacity: int = CAPACITY
    exact: bool = True
    _counts: dict[tuple[int, int, int], tuple[int, int]] = field(default_factory=dict)

    def add(self, records: NDArray[np.void], lengths: NDArray[np.uint32]) -> None:
        """Count packets (RECORD rows that carry IP) and their lengths."""
        if len(records) == 0:
            return
        keys = (records["src_lo"], records["src_hi"], records["version"])
        order = np.lexsort(keys)
        ordered = [key[order] for key in keys]
        changes = np.logical_or.reduce([key[1:] != key[:-1] for key in ordered])
        starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
        packets = np.diff(np.append(starts, len(order))).tolist()
        totals = np.add.reduceat(lengths[order].astype(np.uint64), starts).tolist()
        low, high, version = (key[starts].tolist() for key in ordered)
        for source, count, size in zip(zip(version, high, low, strict=True), packets, totals, strict=True):
            before = self._counts.get(source, (0, 0))
            self._counts[source] = (before[0] + count, before[1] + size)
        if len(self._counts) > self.capacity:
            self._forget()

    def _forget(self) -> None:
        self.exact = False
        self._counts = dict(nlargest(self.capacity // 2, self._counts.items(), key=lambda item: item[1]))

    def top(self, number: int) -> tuple[Talker, ...]:
        """Those with the most packets, the most first; ties in the order of their addresses."""
        chosen = sorted(self._counts.items(), key=lambda item: (-item[1][0], item[0]))[:number]
        return tuple(Talker(address_text(*source), *counts) for source, counts in chosen)
