"""A window that slides over a byte stream, so that a record is always in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twinwall.capture.inflate import StreamError

if TYPE_CHECKING:
    from twinwall.capture.buffers import BufferPool, Bytes


class ByteStream(Protocol):
    """Where the bytes come from."""

    def readinto(self, target: memoryview, /) -> int:
        """Fill some of `target`; how many bytes, 0 at the end of the stream."""


class Window:
    """`buffer[position:end]` is what was read and is not consumed yet; `buffer[0]` is byte `origin` of the stream.

    Frames may refer to `buffer`, so its bytes never change once they are read: `refill` moves on to another buffer.
    """

    def __init__(self, stream: ByteStream, pool: BufferPool) -> None:
        self._stream = stream
        self._pool = pool
        self.buffer: Bytes = pool.take()
        self.position = 0
        self.end = 0
        self.origin = 0
        self.problem: StreamError | None = None  # why the stream ended, if not by its end
        self._fill()

    @property
    def offset(self) -> int:
        """Where in the stream the unconsumed bytes begin."""
        return self.origin + self.position

    @property
    def rest(self) -> int:
        """How many bytes are here, not consumed."""
        return self.end - self.position

    def refill(self) -> bool:
        """Move the unconsumed bytes to the front of another buffer and read on; False when the stream has ended."""
        tail = self.buffer[self.position : self.end]
        fresh = self._pool.take()
        fresh[: len(tail)] = tail
        self.origin += self.position
        self.buffer, self.position, self.end = fresh, 0, len(tail)
        return self._fill()

    def _fill(self) -> bool:
        before = self.end
        memory = self.buffer.data
        while self.end < len(memory) and self.problem is None:
            count = self._read(memory[self.end :])
            if count == 0:
                break
            self.end += count
        return self.end > before

    def _read(self, target: memoryview) -> int:
        try:
            return self._stream.readinto(target)
        except StreamError as problem:
            self.problem = problem
        except OSError as failure:
            self.problem = StreamError(f"reading failed: {failure.strerror or failure}", "check the disk, then try again")
        return 0
