"""One zstd frame (RFC 8878), decompressed block by block.

The library's decompressor gives all the output of the input it gets, and a few bytes of input can stand for gigabytes.
But a block never holds more than 128 KiB of content; so the frame is cut into its blocks here, and fed one at a time.
This also tells a frame that is complete from one that was cut off, which the library does not.
"""

from __future__ import annotations

from enum import Enum, auto

import zstandard

WINDOW_LIMIT = 128 << 20
DICTIONARY_ID_BYTES = (0, 1, 2, 4)
CONTENT_SIZE_BYTES = (0, 2, 4, 8)
SINGLE_SEGMENT, CHECKSUM = 0x20, 0x04
CHECKSUM_BYTES = 4
RLE_BLOCK = 1
SKIPPABLE = b"\x2a\x4d\x18"  # after a byte 0x50..0x5f


class _Next(Enum):
    """What the input goes on with."""

    HEADER = auto()
    BLOCK = auto()
    CHECKSUM = auto()
    SKIPPED = auto()
    NOTHING = auto()


class ZstdMember:
    """A frame, or a skippable frame, which has no content."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT).decompressobj()
        self._input = b""
        self._at = 0
        self._output = memoryview(b"")
        self._next = _Next.HEADER
        self._checksum = False
        self._to_skip = 0

    @property
    def eof(self) -> bool:
        """The frame is complete, and all of its content was taken."""
        return self._next is _Next.NOTHING and not self._output

    @property
    def unused(self) -> bytes:
        """What follows the frame, once it is complete."""
        return self._input[self._at :] if self.eof else b""

    def decompress(self, data: bytes, room: int) -> bytes:
        """At most `room` bytes of output; input is kept until it is used."""
        self._input = self._input[self._at :] + data
        self._at = 0
        while not self._output and self._advance():
            pass
        output = bytes(self._output[:room])
        self._output = self._output[room:]
        return output

    def _advance(self) -> bool:
        """Take the next unit of the input; False if it is not there as a whole, or if the frame is complete."""
        if self._next is _Next.NOTHING:
            return False
        if self._next is _Next.SKIPPED:
            return self._skip()
        size = self._unit_bytes()
        if not size or self._at + size > len(self._input):
            return False
        unit = self._input[self._at : self._at + size]
        self._at += size
        if unit[1:4] == SKIPPABLE and self._next is _Next.HEADER:
            self._to_skip = int.from_bytes(unit[4:], "little")
            self._next = _Next.SKIPPED if self._to_skip else _Next.NOTHING
            return True
        self._output = memoryview(self._inner.decompress(unit))
        self._next = self._after(unit)
        return True

    def _after(self, unit: bytes) -> _Next:
        if self._next is _Next.CHECKSUM:
            return _Next.NOTHING
        if self._next is _Next.HEADER:
            self._checksum = bool(unit[4] & CHECKSUM)
            return _Next.BLOCK
        if not unit[0] & 1:
            return _Next.BLOCK
        return _Next.CHECKSUM if self._checksum else _Next.NOTHING

    def _unit_bytes(self) -> int:
        """The size of the next unit; 0 if too little of it is here to tell."""
        if self._next is _Next.CHECKSUM:
            return CHECKSUM_BYTES
        head = self._input[self._at : self._at + 5]
        if self._next is _Next.BLOCK:
            if len(head) < 3:
                return 0
            block = int.from_bytes(head[:3], "little")
            return 3 + (1 if block >> 1 & 3 == RLE_BLOCK else block >> 3)
        if len(head) < 5:
            return 0
        if head[1:4] == SKIPPABLE:
            return 8
        single = bool(head[4] & SINGLE_SEGMENT)
        content_size = CONTENT_SIZE_BYTES[head[4] >> 6] or int(single)
        return 5 + int(not single) + DICTIONARY_ID_BYTES[head[4] & 3] + content_size

    def _skip(self) -> bool:
        count = min(self._to_skip, len(self._input) - self._at)
        self._at += count
        self._to_skip -= count
        if self._to_skip == 0:
            self._next = _Next.NOTHING
        return self._to_skip == 0
