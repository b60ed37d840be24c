"""The slots of the fragment table: finding a datagram, opening, closing and freeing one, and the two ways to lose it.

Slots count from 1, so that 0 is none.  A slot is free, open (under reassembly) or closed: answered, and kept as it is until
the engine has read it and calls `release`.  Everything is a scan over one word a slot; heads are read where the digest fits.
"""

from __future__ import annotations

from twinwall.path.layout import W_DST_HI, W_DST_LO, W_SRC_HI, W_SRC_LO
from twinwall.path.primitives import Address, get, load_u64, put, store_u64
from twinwall.stream.layout import (
    B_OWNERS,
    BODY_BYTES,
    H_DEADLINE,
    H_DST_HI,
    H_DST_LO,
    H_KEY,
    H_ORDER,
    H_SRC_HI,
    H_SRC_LO,
    H_TAIL,
    HEAD_BYTES,
    T_BODIES,
    T_EARLIEST,
    T_HEADS,
    T_KEY,
    T_ORDER,
    T_SLOTS,
    T_TIMEOUT_V4,
    T_TIMEOUT_V6,
    TABLE_BYTES,
    TAG_CLOSED,
    TAG_FREE,
)

MASK = 0xFFFFFFFFFFFFFFFF
NEVER = MASK  # an instant after every deadline
ODD = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: spreads the key's bits over the digest


def head_of(table: Address, slot: int) -> Address:
    """The head of a slot."""
    return table + (get(table, T_HEADS) + (slot - 1) * HEAD_BYTES)


def body_of(table: Address, slot: int) -> Address:
    """The body of a slot."""
    return table + (get(table, T_BODIES) + (slot - 1) * BODY_BYTES)


def tag_of(table: Address, slot: int) -> int:
    """The tag of a slot."""
    return load_u64(table, TABLE_BYTES + ((slot - 1) << 3))


def set_tag(table: Address, slot: int, tag: int) -> int:
    """Mark a slot."""
    store_u64(table, TABLE_BYTES + ((slot - 1) << 3), tag)
    return 0


def key_tag(table: Address, record: Address) -> int:
    """The digest of the datagram at hand: odd, so never a mark.  Equal digests cost a comparison, nothing else."""
    digest = get(table, T_KEY)
    digest = ((digest ^ (digest >> 29)) * ODD + get(record, W_SRC_HI)) & MASK
    digest = ((digest ^ (digest >> 29)) * ODD + get(record, W_SRC_LO)) & MASK
    digest = ((digest ^ (digest >> 29)) * ODD + get(record, W_DST_HI)) & MASK
    digest = ((digest ^ (digest >> 29)) * ODD + get(record, W_DST_LO)) & MASK
    return (digest ^ (digest >> 32)) | 1


def find(table: Address, record: Address) -> int:
    """The open slot of the datagram at hand, or 0."""
    tag = key_tag(table, record)
    slot = 1
    while slot <= get(table, T_SLOTS):
        if tag_of(table, slot) == tag and is_same(table, head_of(table, slot), record):
            return slot
        slot = slot + 1
    return 0


def is_same(table: Address, head: Address, record: Address) -> int:
    """1 if the head's key is that of the datagram at hand."""
    if get(head, H_KEY) != get(table, T_KEY):
        return 0
    if get(head, H_SRC_HI) != get(record, W_SRC_HI) or get(head, H_SRC_LO) != get(record, W_SRC_LO):
        return 0
    return 1 if get(head, H_DST_HI) == get(record, W_DST_HI) and get(head, H_DST_LO) == get(record, W_DST_LO) else 0


def claim(table: Address, record: Address, now: int) -> int:
    """Open a free slot for the datagram at hand: the slot, or 0 if none is free."""
    slot = 1
    while slot <= get(table, T_SLOTS) and tag_of(table, slot) != TAG_FREE:
        slot = slot + 1
    if slot > get(table, T_SLOTS):
        return 0
    head = head_of(table, slot)
    word = 0
    while word < HEAD_BYTES >> 3:
        put(head, word, 0)
        word = word + 1
    put(head, H_SRC_HI, get(record, W_SRC_HI))
    put(head, H_SRC_LO, get(record, W_SRC_LO))
    put(head, H_DST_HI, get(record, W_DST_HI))
    put(head, H_DST_LO, get(record, W_DST_LO))
    put(head, H_KEY, get(table, T_KEY))
    timeout = get(table, T_TIMEOUT_V6) if get(table, T_KEY) >> 40 == 6 else get(table, T_TIMEOUT_V4)
    deadline = (now + timeout) & MASK
    put(head, H_DEADLINE, deadline)
    if deadline < get(table, T_EARLIEST):
        put(table, T_EARLIEST, deadline)
    put(table, T_ORDER, get(table, T_ORDER) + 1)
    put(head, H_ORDER, get(table, T_ORDER))
    set_tag(table, slot, key_tag(table, record))
    return slot


def close(table: Address, slot: int) -> int:
    """The datagram is answered: later pieces of it open another slot.  Returns the slot."""
    set_tag(table, slot, TAG_CLOSED)
    return slot


def release(table: Address, slot: int) -> int:
    """Free a slot; its datagram and its list of packets are gone."""
    head = head_of(table, slot)
    body = body_of(table, slot)
    unit = 0
    while unit << 3 < get(head, H_TAIL):
        store_u64(body, B_OWNERS + (unit << 1), 0)  # four owners
        unit = unit + 4
    put(head, H_TAIL, 0)
    set_tag(table, slot, TAG_FREE)
    return 0


def expire(table: Address, now: int) -> int:
    """Close one datagram whose deadline has come: its slot, 0 when there is none.  Call until 0, before `defragment`."""
    if now < get(table, T_EARLIEST):
        return 0
    earliest = NEVER
    slot = 1
    while slot <= get(table, T_SLOTS):
        if tag_of(table, slot) & 1:
            deadline = get(head_of(table, slot), H_DEADLINE)
            if deadline <= now:
                return close(table, slot)
            if deadline < earliest:
                earliest = deadline
        slot = slot + 1
    put(table, T_EARLIEST, earliest)
    return 0


def close_oldest(table: Address) -> int:
    """Close the datagram that was opened first: its slot, 0 if none is open."""
    oldest = 0
    order = NEVER
    slot = 1
    while slot <= get(table, T_SLOTS):
        if tag_of(table, slot) & 1 and get(head_of(table, slot), H_ORDER) < order:
            oldest = slot
            order = get(head_of(table, slot), H_ORDER)
        slot = slot + 1
    return close(table, oldest) if oldest else 0
