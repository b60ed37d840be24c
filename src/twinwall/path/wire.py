"""Big-endian loads: how numbers stand on the wire.  The caller has checked the bounds."""

from __future__ import annotations

from twinwall.path.primitives import Address, load_u8


def be16(base: Address, offset: int) -> int:
    """The 16-bit number at `base + offset`."""
    return (load_u8(base, offset) << 8) | load_u8(base, offset + 1)


def be32(base: Address, offset: int) -> int:
    """The 32-bit number at `base + offset`."""
    return (be16(base, offset) << 16) | be16(base, offset + 2)


def be64(base: Address, offset: int) -> int:
    """The 64-bit number at `base + offset`."""
    return (be32(base, offset) << 32) | be32(base, offset + 4)
