"""The interfaces of a pcapng section: an interface description block, read into a row of the walk's state.

Layout and options: draft-ietf-opsawg-pcapng, sections 4.2 and 3.5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from twinwall.capture import framing

FIXED_BYTES = 8  # link type, reserved, snap length
IF_NAME, IF_TSRESOL, IF_TSOFFSET = 2, 9, 14
MICROSECOND_RESOLUTION = 6
LARGEST_TIME = (1 << 63) - 1
ALL_ONES = (1 << 64) - 1
SECOND = framing.SECOND


class Interface(NamedTuple):
    """What an interface description block says."""

    linktype: int
    snaplen: int  # bytes; 0: no limit
    name: str  # "" if it has none
    resolution: int  # if_tsresol: n for 10**-n seconds, 128 + n for 2**-n
    offset: int  # if_tsoffset, in seconds


class _Option(NamedTuple):
    code: int
    value: bytes


def parse_interface(body: bytes, order: str) -> Interface:
    """Read the block between its two lengths; `order` is "<" or ">".  ValueError says what contradicts the format."""
    if len(body) < FIXED_BYTES:
        raise ValueError("an interface description shorter than its fixed part")
    linktype, _, snaplen = struct.unpack_from(order + "HHI", body)
    name, resolution, offset = "", MICROSECOND_RESOLUTION, 0
    for option in _options(body[FIXED_BYTES:], order):
        if option.code == IF_NAME:
            name = option.value.split(b"\0", 1)[0].decode("utf-8", "replace")
        elif option.code == IF_TSRESOL and len(option.value) == 1:
            resolution = option.value[0]
        elif option.code == IF_TSOFFSET and len(option.value) == 8:
            offset = struct.unpack(order + "q", option.value)[0]
        elif option.code in {IF_TSRESOL, IF_TSOFFSET}:
            raise ValueError(f"interface option {option.code} of {len(option.value)} bytes")
    return Interface(linktype, snaplen, name, resolution, offset)


def _options(data: bytes, order: str) -> Iterator[_Option]:
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from(order + "HH", data, at)
        if code == 0:
            return
        if at + 4 + length > len(data):
            raise ValueError("an interface option that is longer than its block")
        yield _Option(code, data[at + 4 : at + 4 + length])
        at += 4 + (length + 3 & ~3)


def state_row(interface: Interface, tag: int) -> list[int]:
    """The interface's `R_*` words."""
    row = [0] * framing.ROW_WORDS
    row[framing.R_TAG] = tag
    row[framing.R_DIVIDE] = 1
    row[framing.R_SNAPLEN] = interface.snaplen
    shift = min(abs(interface.offset) * SECOND, LARGEST_TIME)
    row[framing.R_LATER if interface.offset > 0 else framing.R_EARLIER] = shift
    exponent = interface.resolution & 0x7F
    if interface.resolution & 0x80 and exponent:
        # Finer than 2**-63, 64 bits of it are the first seconds of 1970 at most: such a clock stays at 0.
        row[framing.R_SHIFT] = exponent if exponent < 64 else 0
        return row
    multiply, divide = (0, 1) if interface.resolution & 0x80 else _decimal(exponent)
    if interface.resolution == 0x80:
        multiply = SECOND  # 2**-0
    row[framing.R_MULTIPLY] = multiply
    row[framing.R_DIVIDE] = divide
    row[framing.R_LARGEST] = LARGEST_TIME // multiply if multiply and divide == 1 else ALL_ONES
    return row


class _Ratio(NamedTuple):
    multiply: int
    divide: int


def _decimal(exponent: int) -> _Ratio:
    """From units of 10**-exponent seconds to nanoseconds."""
    if exponent <= 9:
        return _Ratio(10 ** (9 - exponent), 1)
    divide = 10 ** (exponent - 9)
    return _Ratio(1, divide) if divide <= ALL_ONES else _Ratio(0, 1)
