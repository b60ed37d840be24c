"""Memory that is used again: reading a long capture touches the same few pages over and over."""

from __future__ import annotations

import weakref

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

SPARE_BUFFERS = 4


class BufferPool:
    """Lends byte arrays of one size.  A buffer comes back by itself when nothing refers to its array or to a view of it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free: list[bytearray] = []
        self._lent: dict[int, tuple[weakref.ref[Bytes], bytearray]] = {}

    def take(self) -> Bytes:
        """An array of `size` bytes with undefined content."""
        memory = self._free.pop() if self._free else bytearray(self.size)
        # NumPy keeps this array, not its memory, as the base of every view; so it dies after the last view of it.
        array = np.frombuffer(memory, np.uint8)
        reference = weakref.ref(array, self._returned)
        self._lent[id(reference)] = reference, memory
        return array

    def _returned(self, reference: weakref.ref[Bytes]) -> None:
        _, memory = self._lent.pop(id(reference))
        if len(self._free) < SPARE_BUFFERS:
            self._free.append(memory)
