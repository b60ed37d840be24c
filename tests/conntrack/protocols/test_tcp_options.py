"""TCP options as the window model needs them, well-formed and not."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.conntrack.protocols.tcp_flags import FLAG_SACK_PERM, FLAG_WINDOW_SCALE
from twinwall.conntrack.protocols.tcp_options import highest_sack, syn_options
from twinwall.path.primitives import Pointer

SCALED, SACKED = FLAG_WINDOW_SCALE << 8, FLAG_SACK_PERM << 8


def bounds(options: bytes) -> tuple[Pointer, Pointer]:
    start = Pointer(options)
    return start, start + len(options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (b"", 0),
        (b"\x03\x03\x07", SCALED | 7),
        (b"\x03\x03\xff", SCALED | 14),  # RFC 7323 section 2.3: at most 14
        (b"\x01\x01\x04\x02\x03\x03\x02\x00", SACKED | SCALED | 2),
        (b"\x00\x03\x03\x07", 0),  # behind the end of the list
        (b"\x03\x04\x07\x00", 0),  # the wrong length
        (b"\x04\x02\x03\x03", SACKED),  # cut short
        (b"\x02\x01\x03\x03\x07", 0),  # a length below 2 ends the reading
        (b"\x03", 0),
    ],
)
def test_syn_options(options: bytes, expected: int):
    assert syn_options(*bounds(options)) == expected


def sack(*blocks: tuple[int, int]) -> bytes:
    return bytes([5, 2 + 8 * len(blocks)]) + b"".join(struct.pack("!II", *block) for block in blocks)


@pytest.mark.parametrize(
    ("options", "ack", "expected"),
    [
        (b"", 5, 5),
        (b"\x01\x01" + sack((10, 20)), 5, 20),
        (b"\x01\x01" + sack((10, 20), (30, 90), (40, 50)), 5, 90),
        (sack((1, 3)), 5, 5),
        (sack((0xFFFFFFF0, 7)), 0xFFFFFF00, 7),  # modulo 2**32
        (sack((10, 20)) + sack((30, 40)), 5, 20),  # the first option counts
        (b"\x05\x09" + bytes(7), 5, 5),
        (b"\x01\x01\x08\x0a" + bytes(8), 5, 5),
        (b"\x00" + sack((10, 20)), 5, 5),
        (sack((10, 20))[:-1], 5, 5),
    ],
)
def test_highest_sack(options: bytes, ack: int, expected: int):
    assert highest_sack(*bounds(options), ack) == expected


@given(st.binary(max_size=40), st.integers(0, 0xFFFFFFFF))
def test_any_bytes_are_read_within_bounds(options: bytes, ack: int):
    assert syn_options(*bounds(options)) & 0xFF <= 14
    assert 0 <= highest_sack(*bounds(options), ack) <= 0xFFFFFFFF
