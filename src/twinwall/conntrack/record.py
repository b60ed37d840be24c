"""A flow's record, kept with its entry: packets and bytes, first and last seen, TTLs, TCP flags, for each side.

Every packet with an entry counts, also one that the tracker calls INVALID: it was sent.
"""

from __future__ import annotations

from twinwall.conntrack.entry import E_LAST_SEEN, E_O_PACKETS, E_O_START, E_SEEN
from twinwall.path.layout import W_HEADER, W_KEY, W_LENGTH
from twinwall.path.primitives import Address, get, put

MASK64 = 0xFFFFFFFFFFFFFFFF
NO_TTL_YET = 0x00FF00FF << 16  # lowest 255, highest 0, for both sides


def count_packet(entry: Address, record: Address, now: int, side: int) -> int:
    """Add the packet, sent by `side` (0: who sent the flow's first packet), to the flow's record."""
    packets = E_O_PACKETS + 2 * side
    before = get(entry, packets)
    put(entry, packets, before + 1)
    put(entry, packets + 1, get(entry, packets + 1) + (get(record, W_LENGTH) >> 32))
    if before == 0:
        put(entry, E_O_START + side, now)
    put(entry, E_LAST_SEEN, now)
    ttl = (get(record, W_HEADER) >> 16) & 0xFF
    seen = get(entry, E_SEEN)
    lowest = 16 + 16 * side
    flags = ((get(record, W_KEY) >> 48) & 0xFF) << (8 * side)
    if ((seen >> lowest) & 0xFFFF) == (ttl | (ttl << 8)) and (seen & flags) == flags:
        return 0  # nothing that this side had not sent before
    low = (seen >> lowest) & 0xFF
    high = (seen >> (lowest + 8)) & 0xFF
    low = ttl if ttl < low else low
    high = ttl if ttl > high else high
    kept = seen & ((0xFFFF << lowest) ^ MASK64)
    put(entry, E_SEEN, kept | flags | (low << lowest) | (high << (lowest + 8)))
    return 0
