"""Fuzz the capture readers: python fuzz/fuzz_capture.py [corpus folder] (needs atheris).

Any bytes must end in frames that lie inside their buffer and at most one `CaptureError`: no other exception, no hang, no memory
that grows with what the bytes claim.
"""

from __future__ import annotations

import io
import sys

import atheris

with atheris.instrument_imports():
    from twinwall.capture import CaptureError, open_captures


def one_input(data: bytes) -> None:
    """Read the bytes as standard input."""
    sys.stdin = io.TextIOWrapper(io.BytesIO(data))
    try:
        for batch in open_captures(["-"], batch_frames=64):
            ends = batch.frames["offset"] + batch.frames["captured_length"]
            assert int(ends.max()) <= len(batch.buffer)
    except CaptureError:
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
