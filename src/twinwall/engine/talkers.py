"""Who is dropped most: a bounded table of source addresses, in packet-path style.

A source belongs to one bucket of `TALKER_WAYS` places.  A newcomer to a full bucket takes the place with the fewest packets and
inherits its count (Metwally, Agrawal, El Abbadi: Space-Saving), so heavy sources are never missed and counts never too low.
"""

from __future__ import annotations

from twinwall.engine.desk import (
    D_TALKER_MASK,
    D_TALKERS,
    T_BYTES,
    T_HIGH,
    T_LOW,
    T_PACKETS,
    T_VERSION,
    TALKER_WAYS,
    TALKER_WORDS,
)
from twinwall.path.layout import W_KEY, W_SRC_HI, W_SRC_LO
from twinwall.path.primitives import Address, get, put

MASK64 = 0xFFFFFFFFFFFFFFFF


def count_talker(desk: Address, record: Address, length: int) -> int:
    """Count a dropped packet of `length` bytes to its source."""
    high = get(record, W_SRC_HI)
    low = get(record, W_SRC_LO)
    version = get(record, W_KEY) >> 40 & 0xFF
    mixed = ((high ^ low) * 0x9E3779B97F4A7C15) & MASK64
    bucket = desk + ((get(desk, D_TALKERS) + (mixed >> 40 & get(desk, D_TALKER_MASK)) * TALKER_WAYS * TALKER_WORDS) << 3)
    least = bucket
    for way in range(TALKER_WAYS):
        place = bucket + (way * TALKER_WORDS << 3)
        if get(place, T_LOW) == low and get(place, T_HIGH) == high and get(place, T_VERSION) == version:
            put(place, T_PACKETS, get(place, T_PACKETS) + 1)
            put(place, T_BYTES, get(place, T_BYTES) + length)
            return 0
        if get(place, T_PACKETS) < get(least, T_PACKETS):
            least = place
    put(least, T_HIGH, high)
    put(least, T_LOW, low)
    put(least, T_VERSION, version)
    put(least, T_PACKETS, get(least, T_PACKETS) + 1)
    put(least, T_BYTES, get(least, T_BYTES) + length)
    return 0
