"""Decompression in bounded memory: gzip, xz and zstd, several members one after the other, truncated ones as far as they go.

A member never gives more than one buffer's worth of output at a time, however well it is compressed, and dictionaries
above `MEMORY_LIMIT` are refused.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from zstandard import ZstdError

from twinwall.capture.zstd import ZstdMember

INPUT_BYTES = 64 << 10
MEMORY_LIMIT = 128 << 20
FAILURES = (zlib.error, lzma.LZMAError, ZstdError, EOFError)


class StreamError(Exception):
    """A byte stream that ends otherwise than by its end."""

    def __init__(self, cause: str, remedy: str) -> None:
        self.cause = cause
        self.remedy = remedy
        super().__init__(cause)


class Reader(Protocol):
    """Where compressed bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""


class Member(Protocol):
    """One compressed stream; several may follow each other in a file."""

    @property
    def eof(self) -> bool:
        """The member is complete."""

    @property
    def unused(self) -> bytes:
        """Input not consumed yet: to be given again, or, after `eof`, the next member's."""

    def decompress(self, data: bytes, room: int) -> bytes:
        """At most `room` bytes of output."""


class GzipMember:
    """RFC 1952."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused(self) -> bytes:
        return self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail

    def decompress(self, data: bytes, room: int) -> bytes:
        return self._inner.decompress(data, room)


class XzMember:
    """The .xz format 1.1."""

    def __init__(self) -> None:
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_LIMIT)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, room: int) -> bytes:
        return self._inner.decompress(data, room)


@dataclass(frozen=True, slots=True)
class Compression:
    """A compression format."""

    name: str
    magic: tuple[bytes, ...]
    member: Callable[[], Member]


COMPRESSIONS = (
    Compression("gzip", (b"\x1f\x8b",), GzipMember),
    Compression("xz", (b"\xfd7zXZ\0",), XzMember),
    Compression("zstd", (b"\x28\xb5\x2f\xfd", *(bytes([n]) + b"\x2a\x4d\x18" for n in range(0x50, 0x60))), ZstdMember),
)


class InflatedStream:
    """The bytes that a compressed stream holds.  `readinto` raises `StreamError` after the last byte it could get."""

    def __init__(self, source: Reader, compression: Compression) -> None:
        self._source = source
        self._compression = compression
        self._input = b""
        self._member = compression.member()

    def readinto(self, target: memoryview, /) -> int:
        """Fill some of `target`; 0 at the end."""
        while True:
            if self._member.eof and not self._next_member():
                return 0
            if not self._input:
                self._input = self._source.read(INPUT_BYTES)
            last = not self._input
            try:
                output = self._member.decompress(self._input, len(target))
            except FAILURES as failure:
                raise StreamError(
                    f"the {self._compression.name} stream is damaged: {failure}",
                    "what could be decompressed was read; make the compressed file again",
                ) from None
            self._input = self._member.unused
            if output:
                target[: len(output)] = output
                return len(output)
            if last and not self._member.eof:
                raise StreamError(
                    f"the {self._compression.name} stream ends early",
                    "the compressed file was cut off; what could be decompressed was read",
                )

    def _next_member(self) -> bool:
        """Start the member that follows, if one does; zero bytes between members are padding."""
        self._input = self._input.lstrip(b"\0")
        while not self._input:
            data = self._source.read(INPUT_BYTES)
            if not data:
                return False
            self._input = data.lstrip(b"\0")
        self._member = self._compression.member()
        return True
