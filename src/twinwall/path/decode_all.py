"""Decoding a run of frames, for whoever wants their records and no verdict: the log of what the kernel reports."""

from __future__ import annotations

from twinwall.path.decode import decode
from twinwall.path.layout import FRAME_BYTES, RECORD_BYTES
from twinwall.path.primitives import Address, get

MASK32 = 0xFFFFFFFF


def decode_all(frames: Address, buffer: Address, records: Address, count: int) -> int:
    """Decode `count` frames (FRAME), which lie in `buffer`, into as many records (RECORD); the number of them."""
    row = 0
    while row < count:
        frame = frames + row * FRAME_BYTES
        packet = buffer + get(frame, 0)
        lengths = get(frame, 2)
        decode(packet, packet + (lengths & MASK32), get(frame, 3) & 0xFF, lengths >> 32, records + row * RECORD_BYTES)
        row = row + 1
    return count
