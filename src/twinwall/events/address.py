"""How EVE spells an address: dotted quads, and IPv6 in full, `2001:0db8:0000:0000:0000:0000:0000:0001`, as Suricata does."""

from __future__ import annotations

from functools import lru_cache

from twinwall.engine.batch import address_text


@lru_cache(maxsize=1 << 14)
def eve_address(version: int, high: int, low: int) -> str:
    """The address of a record or an entry, from its two words."""
    if version == 4:
        return address_text(version, high, low)
    digits = f"{high:016x}{low:016x}"
    return ":".join(digits[at : at + 4] for at in range(0, 32, 4))
