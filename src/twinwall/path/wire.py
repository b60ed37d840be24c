"""Big-endian loads: how numbers stand on the wire.  The caller has checked the bounds."""

from __future__ import annotations

from twinwall.path.primitives import Address, load_be16, load_be32, load_be64


def be16(base: Address, offset: int) -> int:
    """The 16-bit number at `base + offset`."""
    return load_be16(base, offset)


def be32(base: Address, offset: int) -> int:
    """The 32-bit number at `base + offset`."""
    return load_be32(base, offset)


def be64(base: Address, offset: int) -> int:
    """The 64-bit number at `base + offset`."""
    return load_be64(base, offset)
