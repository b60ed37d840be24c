"""The one error of this package: a capture file that cannot be read further."""

from __future__ import annotations


class CaptureError(Exception):
    """This file, this offset, what is wrong, and what to do about it.

    A reader raises it after the last frame it could read.  `offset` counts bytes from the start of the capture, after
    decompression.
    """

    def __init__(self, path: str, offset: int, cause: str, remedy: str) -> None:
        self.path = path
        self.offset = offset
        self.cause = cause
        self.remedy = remedy
        super().__init__(f"{path}: at byte {offset}: {cause}\n    remedy: {remedy}")
