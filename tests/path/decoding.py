"""Decoding for tests: a frame in, its reason and its record out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twinwall.path.decode import decode
from twinwall.path.layout import LINK_RAW, RECORD, RECORD_BYTES
from twinwall.path.primitives import Pointer

STALE = b"\xa5" * RECORD_BYTES  # what the packet before left in the record


class Decoded(NamedTuple):
    """`reason` is 0 or a `Reason`."""

    reason: int
    record: np.void

    def __getitem__(self, name):
        return int(self.record[name])


def decoded(frame: bytes, link: int = LINK_RAW, wire_length: int | None = None, notes=None) -> Decoded:
    """Decode a frame; reading outside of it raises IndexError."""
    memory = bytearray(STALE)
    start = Pointer(frame)
    wire = len(frame) if wire_length is None else wire_length
    reason = decode(start, start + len(frame), link, wire, Pointer(memory, 0, notes))
    return Decoded(reason, np.frombuffer(bytes(memory), RECORD)[0])
