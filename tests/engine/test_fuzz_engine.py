"""The engine's fuzz target runs, on seeds of every kind."""

from __future__ import annotations

import random
import struct

import pytest

from fuzz.fuzz_engine import HEAD, frames_of, one_input
from tests import packets


def seed(number):
    rng = random.Random(number)
    heads = [(HEAD.pack(rng.randrange(7), rng.randrange(8), rng.choice([0, 1, -3]), len(frame), rng.choice([0, 3])), frame)
             for frame in packets.frames(number, 8)]  # fmt: skip
    return b"".join(head + frame for head, frame in heads)


@pytest.mark.parametrize("data", [b"", b"short", struct.pack("<BBhHH", 0, 0, 0, 65535, 65535), *map(seed, range(8))],
                         ids=lambda data: str(len(data)))  # fmt: skip
def test_any_bytes_are_frames_that_are_decided(data):
    one_input(data)


def test_frames_lie_inside_the_bytes():
    batch = frames_of(seed(1)).batch
    assert len(batch.frames) == 8
    assert int((batch.frames["offset"] + batch.frames["captured_length"]).max()) <= len(batch.buffer)
