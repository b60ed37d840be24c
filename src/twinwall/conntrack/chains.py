"""The table's memory at work: finding, making, removing and evicting entries.

Hash chains run through `E_LINK`.  Both directions of a flow hash to the same chain and are one entry.  An entry whose deadline
has come is not there: finding it removes it.  A removed entry is copied to the ended buffer.
"""

from __future__ import annotations

from twinwall.conntrack.entry import (
    E_BITS,
    E_DEADLINE,
    E_DST_HI,
    E_DST_LO,
    E_FLOW_ID,
    E_KEY,
    E_LINK,
    E_SEEN,
    E_SRC_HI,
    E_SRC_LO,
    E_STATUS,
    END_EVICTED,
    END_TIMEOUT,
    ENTRY_BYTES,
    ENTRY_END_REASON,
    ENTRY_WORDS,
    ST_ASSURED,
)
from twinwall.conntrack.header import (
    H_BIT_WORDS,
    H_BUCKET_MASK,
    H_BUCKETS,
    H_CAPACITY,
    H_ENDED,
    H_ENDED_CAPACITY,
    H_ENDED_COUNT,
    H_ENDED_LOST,
    H_ENTRIES,
    H_ENTRY_SIZE,
    H_EVICTED,
    H_EXPIRED,
    H_FREE,
    H_LIVE,
    H_SWEEP,
    H_UNUSED,
)
from twinwall.conntrack.tuples import KEY_MASK
from twinwall.path.primitives import Address, get, load_u32, put, store_u8, store_u32, table_at

MASK32 = 0xFFFFFFFF
EVICTION_RANGE = 32  # buckets looked at for an entry to evict: as many entries as Linux's 8 buckets hold in a full table


def entry_at(table: Address, index: int) -> Address:
    """The address of entry `index` (from 1)."""
    return table + (table_at(table, H_ENTRIES) + (index - 1) * table_at(table, H_ENTRY_SIZE))


def bucket_of(table: Address, hashed: int) -> int:
    """The offset of the chain head for a hash."""
    return table_at(table, H_BUCKETS) + ((hashed & table_at(table, H_BUCKET_MASK)) << 2)


def find(table: Address, place: Address, forward: int, reverse: int, hashed: int, now: int) -> int:
    """The live entry of a tuple: its index * 2 + the side that `place` is sent from (0 the flow's first sender); 0: none."""
    index = load_u32(table, bucket_of(table, hashed))
    while index != 0:
        entry = entry_at(table, index)
        link = get(entry, E_LINK)
        if (link >> 32) == hashed:
            key = get(entry, E_KEY) & KEY_MASK
            one = get(entry, E_SRC_LO)
            two = get(entry, E_DST_LO)
            source = get(place, E_SRC_LO)
            destination = get(place, E_DST_LO)
            same = (key ^ forward) | (one ^ source) | (two ^ destination)
            turned = (key ^ reverse) | (one ^ destination) | (two ^ source)
            if ((forward >> 40) & 0xFF) != 4:
                one = get(entry, E_SRC_HI)
                two = get(entry, E_DST_HI)
                source = get(place, E_SRC_HI)
                destination = get(place, E_DST_HI)
                same = same | (one ^ source) | (two ^ destination)
                turned = turned | (one ^ destination) | (two ^ source)
            if same == 0 or turned == 0:
                if get(entry, E_DEADLINE) > now:
                    return (index << 1) | (1 if same != 0 else 0)
                expire(table, index)
                return 0
        index = link & MASK32
    return 0


def expire(table: Address, index: int) -> int:
    """Remove an entry whose time has come."""
    put(table, H_EXPIRED, get(table, H_EXPIRED) + 1)
    return remove(table, index, END_TIMEOUT)


def remove(table: Address, index: int, why: int) -> int:
    """End an entry and hand out a copy of it; `why` is an END_* unless the entry has one already."""
    entry = entry_at(table, index)
    if ((get(entry, E_SEEN) >> 48) & 0xFF) == 0:
        store_u8(entry, ENTRY_END_REASON, why)
    hand_out(table, entry)
    return discard(table, index)


def discard(table: Address, index: int) -> int:
    """Take an entry out of its chain and put its place on the free list."""
    entry = entry_at(table, index)
    link = get(entry, E_LINK)
    head = bucket_of(table, link >> 32)
    current = load_u32(table, head)
    if current == index:
        store_u32(table, head, link & MASK32)
    else:
        before = entry_at(table, current)
        while (get(before, E_LINK) & MASK32) != index:
            before = entry_at(table, get(before, E_LINK) & MASK32)
        put(before, E_LINK, (get(before, E_LINK) & (MASK32 << 32)) | (link & MASK32))
    put(entry, E_FLOW_ID, 0)  # marks a free place
    put(entry, E_LINK, get(table, H_FREE))
    put(table, H_FREE, index)
    put(table, H_LIVE, get(table, H_LIVE) - 1)
    return 0


def hand_out(table: Address, entry: Address) -> int:
    """Copy an ended entry for whoever reports flows; without room it is only counted."""
    count = get(table, H_ENDED_COUNT)
    if count >= table_at(table, H_ENDED_CAPACITY):
        put(table, H_ENDED_LOST, get(table, H_ENDED_LOST) + 1)
        return 0
    copy = table + (table_at(table, H_ENDED) + count * ENTRY_BYTES)
    for word in range(ENTRY_WORDS):
        put(copy, word, get(entry, word))
    put(table, H_ENDED_COUNT, count + 1)
    return 0


def make(table: Address, hashed: int, now: int) -> int:
    """A new, zeroed entry at the head of its chain: its index, or 0 if the table is full and nothing could be evicted."""
    if get(table, H_LIVE) >= table_at(table, H_CAPACITY):
        if evict(table, hashed, now) == 0:
            return 0
    index = get(table, H_FREE)
    if index != 0:
        put(table, H_FREE, get(entry_at(table, index), E_LINK) & MASK32)
    else:
        index = get(table, H_UNUSED) + 1
        put(table, H_UNUSED, index)
    entry = entry_at(table, index)
    word = 0
    words = E_BITS + table_at(table, H_BIT_WORDS)
    while word < words:
        put(entry, word, 0)
        word = word + 1
    head = bucket_of(table, hashed)
    put(entry, E_LINK, load_u32(table, head) | (hashed << 32))
    store_u32(table, head, index)
    put(table, H_LIVE, get(table, H_LIVE) + 1)
    return index


def evict(table: Address, hashed: int, now: int) -> int:
    """Remove what may go from the first of the next `EVICTION_RANGE` buckets that has such an entry; how many went.

    An entry may go if it is not ASSURED, or its time has come.
    """
    for distance in range(EVICTION_RANGE):
        gone = 0
        index = load_u32(table, bucket_of(table, (hashed + distance) & MASK32))
        while index != 0:
            entry = entry_at(table, index)
            following = get(entry, E_LINK) & MASK32
            if get(entry, E_DEADLINE) <= now:
                expire(table, index)
                gone = gone + 1
            else:
                if (get(entry, E_STATUS) & ST_ASSURED) == 0:
                    remove(table, index, END_EVICTED)
                    put(table, H_EVICTED, get(table, H_EVICTED) + 1)
                    gone = gone + 1
            index = following
        if gone != 0:
            return gone
    return 0


def sweep(table: Address, now: int, budget: int) -> int:
    """Look at up to `budget` places, on from where the last sweep stopped, and remove expired entries; how many were removed.

    It stops early when the ended buffer is full, so that no flow is lost to a sweep.
    """
    used = get(table, H_UNUSED)
    place = get(table, H_SWEEP)
    removed = 0
    looked = 0
    while looked < budget and looked < used and get(table, H_ENDED_COUNT) < table_at(table, H_ENDED_CAPACITY):
        if place >= used:
            place = 0
        place = place + 1
        entry = entry_at(table, place)
        if get(entry, E_FLOW_ID) != 0 and get(entry, E_DEADLINE) <= now:
            expire(table, place)
            removed = removed + 1
        looked = looked + 1
    put(table, H_SWEEP, place)
    return removed
