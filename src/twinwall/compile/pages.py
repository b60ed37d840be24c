"""Long arrays of row numbers as pages of 256: pages that are equal are stored once.

Rules name few ports and few prefixes, so nearly all pages of such an array are one and the same, and what a lookup touches
stays in the processor's first cache.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twinwall.path.table_layout import HEADER_WORDS, PAGE_BITS

PAGE = 1 << PAGE_BITS
START = 2 * HEADER_WORDS  # of the first page, in 32-bit numbers from the start of the table


class PagePool:
    """The pages of one table, numbered in the order in which they are added."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def add(self, values: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The directory of an array: for every 256 values, where in the table their page starts (in 32-bit numbers)."""
        pages = np.pad(values, (0, -len(values) % PAGE)).reshape(-1, PAGE)
        known = self._numbers
        return np.array([START + PAGE * known.setdefault(page.tobytes(), len(known)) for page in pages], np.uint32)

    def words(self) -> NDArray[np.uint64]:
        """All pages, one after the other."""
        return np.frombuffer(b"".join(self._numbers), np.uint64)
