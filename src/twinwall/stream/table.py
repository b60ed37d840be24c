"""The fragment table's memory: one NumPy array, made once from the policy's settings, never growing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from twinwall.path.primitives import Pointer
from twinwall.policy.model import Overlap, Timeout, Tracking
from twinwall.stream.layout import (
    BODY_BYTES,
    HEAD_BYTES,
    T_BODIES,
    T_DISCARD,
    T_EARLIEST,
    T_HEADS,
    T_SLOTS,
    T_TIMEOUT_V4,
    T_TIMEOUT_V6,
    T_WINS,
    TABLE_BYTES,
)
from twinwall.stream.overlap import wins_word

NANOSECONDS = 1_000_000_000


class FragmentTable:
    """Room for `tracking.datagrams` datagrams under reassembly.

    The memory is asked for at once and comes page by page as datagrams use it: about 120 KiB for each that was ever under way
    at the same time.
    """

    def __init__(self, tracking: Tracking) -> None:
        slots = tracking.datagrams
        heads = TABLE_BYTES + 8 * slots
        bodies = heads + HEAD_BYTES * slots
        self.memory: npt.NDArray[np.uint64] = np.zeros((bodies + BODY_BYTES * slots) // 8, dtype=np.uint64)
        self.memory[T_SLOTS] = slots
        self.memory[T_HEADS] = heads
        self.memory[T_BODIES] = bodies
        self.memory[T_DISCARD] = tracking.overlap is Overlap.DISCARD
        self.memory[T_WINS] = wins_word(tracking.overlap)
        self.memory[T_TIMEOUT_V4] = round(tracking.seconds(Timeout.FRAGMENT_V4) * NANOSECONDS)
        self.memory[T_TIMEOUT_V6] = round(tracking.seconds(Timeout.FRAGMENT_V6) * NANOSECONDS)
        self.memory[T_EARLIEST] = np.iinfo(np.uint64).max

    @property
    def address(self) -> int:
        """Where the table lies, for compiled packet-path functions.  Valid as long as this object lives."""
        return int(self.memory.ctypes.data)

    def pointer(self) -> Pointer:
        """Where the table lies, for interpreted packet-path functions."""
        return Pointer(self.memory.data.cast("B"))
