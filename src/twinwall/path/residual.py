"""What a stateful rule asks beyond the table's rows: a small program of tests, then what the rule does to the flow's bits.

    OP_RANGES … OP_ISSET … OP_END  OP_SET … OP_END

All tests must hold.  A packet that does not have the field a test asks for fails it, negated or not.
"""

from __future__ import annotations

from twinwall.path.flow_state import E_BITS
from twinwall.path.layout import (
    ESP,
    FRAG_OFFSET,
    ICMP,
    ICMP6,
    MARK_FRAGMENT,
    MARK_LATER_FRAGMENT,
    MARK_TRANSPORT,
    SCTP,
    TCP,
    UDP,
    W_DST_HI,
    W_DST_LO,
    W_HEADER,
    W_ICMP,
    W_KEY,
    W_LENGTH,
    W_LINK,
    W_PLACE,
    W_SEQ,
    W_SRC_HI,
    W_SRC_LO,
    W_STATUS,
)
from twinwall.path.primitives import Address, get, note, put, table_at
from twinwall.path.table_layout import OP_END, OP_ISSET, OP_RANGES, OP_SET, OP_TOGGLE, OP_UNSET
from twinwall.path.trace import TraceEvent

# policy.model.PacketField, of which the rows do not take care
FIELD_ICMP_ID, FIELD_ICMP_SEQ, FIELD_TTL, FIELD_TOS, FIELD_PAYLOAD_LENGTH = 4, 5, 6, 7, 8
FIELD_IP_OPTIONS, FIELD_FRAG_BITS, FIELD_FRAG_OFFSET = 10, 11, 12
FIELD_WINDOW, FIELD_SEQ, FIELD_ACK, FIELD_IP_ID, FIELD_SAME_ADDRESS = 13, 14, 15, 16, 17

# ICMP messages with identifier and sequence number, one bit for each type: echo, timestamp, information, address mask
ICMP_QUERIES = 1 << 0 | 1 << 8 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 18
FRAGMENT_HEADER = 2  # `extensions` of a record
MASK64 = 0xFFFFFFFFFFFFFFFF
MASK32 = 0xFFFFFFFF


def holds(rules: Address, record: Address, entry: Address, program: int) -> int:
    """1 if every test of the program at word `program` holds, else 0."""
    at = program
    head = table_at(rules, at)
    while head != OP_END:
        count = (head >> 24) & 0xFF
        operation = head & 0xFF
        if operation == OP_RANGES:
            if in_ranges(rules, record, at, head) == 0:
                note(record, TraceEvent.TEST_FAILED, head)
                return 0
        else:
            if any_bit(rules, entry, at, count, 1 if operation == OP_ISSET else 0) == 0:
                note(record, TraceEvent.FLOWBIT_FAILED, head & MASK32 | (table_at(rules, at + 1) << 32))
                return 0
        at += count + 1
        head = table_at(rules, at)
    return 1


def in_ranges(rules: Address, record: Address, at: int, head: int) -> int:
    """1 if the packet has the field and its masked value is (negated: is not) in one of the ranges."""
    field = (head >> 8) & 0xFF
    if has_field(record, field) == 0:
        return 0
    value = field_value(record, field) & (head >> 32)
    count = (head >> 24) & 0xFF
    number = 0
    inside = 0
    while number < count and inside == 0:
        number += 1
        bounds = table_at(rules, at + number)
        if value >= (bounds & 0xFFFFFFFF) and value <= (bounds >> 32):
            inside = 1
    return inside ^ ((head >> 16) & 1)


def any_bit(rules: Address, entry: Address, at: int, count: int, wanted: int) -> int:
    """1 if one of the program's next `count` flowbits is set (`wanted` 0: is not set)."""
    number = 0
    while number < count:
        number += 1
        bit = table_at(rules, at + number)
        if (get(entry, E_BITS + (bit >> 6)) >> (bit & 63)) & 1 == wanted:
            return 1
    return 0


def has_field(record: Address, field: int) -> int:
    """1 if the packet has the field, else 0."""
    key = get(record, W_KEY)
    marks = (get(record, W_STATUS) >> 8) & 0xFF
    proto = (key >> 32) & 0xFF
    version = (key >> 40) & 0xFF
    if field == FIELD_TTL or field == FIELD_SAME_ADDRESS:
        return 1
    if field == FIELD_PAYLOAD_LENGTH:
        return 0 if marks & MARK_LATER_FRAGMENT else 1
    if field == FIELD_FRAG_OFFSET:
        # IPv6: also in a fragment header that stands in front of a whole datagram
        return 1 if version == 4 or marks & MARK_FRAGMENT or (get(record, W_LINK) >> 16) & FRAGMENT_HEADER else 0
    if field == FIELD_TOS or field == FIELD_IP_OPTIONS or field == FIELD_FRAG_BITS or field == FIELD_IP_ID:
        return 1 if version == 4 else 0
    if (marks & MARK_TRANSPORT) == 0:
        return 0
    if field == FIELD_ICMP_ID or field == FIELD_ICMP_SEQ:
        message = (get(record, W_HEADER) >> 32) & 0xFF
        if proto == ICMP6:
            return 1 if message == 128 or message == 129 else 0
        return 1 if proto == ICMP and message < 64 and (ICMP_QUERIES >> (message & 63)) & 1 else 0
    return 1 if proto == TCP else 0


def payload_length(record: Address) -> int:
    """What `dsize` compares, as Suricata 7 counts it (measured).

    A message's fixed part beyond a ping's eight bytes is no payload, and protocols whose header it does not read have none.
    """
    proto = (get(record, W_KEY) >> 32) & 0xFF
    message = (get(record, W_HEADER) >> 32) & 0xFF
    length = get(record, W_PLACE) >> 48
    if proto == TCP or proto == UDP or proto == SCTP:
        return length
    more = 0
    if proto == ICMP and (message == 13 or message == 14):
        more = 12
    elif proto == ICMP6 and message >= 130:
        more = 4
    elif proto == ESP:
        more = 8
    elif proto != ICMP and proto != ICMP6:
        return 0
    return length - more if length > more else 0


def field_value(record: Address, field: int) -> int:
    """The field's value; the packet has it."""
    header = get(record, W_HEADER)
    if field == FIELD_TTL:
        return (header >> 16) & 0xFF
    if field == FIELD_TOS:
        return (header >> 24) & 0xFF
    if field == FIELD_PAYLOAD_LENGTH:
        return payload_length(record)
    if field == FIELD_WINDOW:
        return header & 0xFFFF
    if field == FIELD_SEQ:
        return get(record, W_SEQ) & 0xFFFFFFFF
    if field == FIELD_ACK:
        return get(record, W_SEQ) >> 32
    if field == FIELD_ICMP_ID:
        return get(record, W_ICMP) & 0xFFFF
    if field == FIELD_ICMP_SEQ:
        return (get(record, W_ICMP) >> 16) & 0xFFFF
    if field == FIELD_FRAG_BITS:
        return (header >> 48) & (FRAG_OFFSET ^ 0xFFFF)
    if field == FIELD_FRAG_OFFSET:
        return (header >> 48) & FRAG_OFFSET
    if field == FIELD_IP_ID:
        return get(record, W_LENGTH) & 0xFFFFFFFF
    if field == FIELD_IP_OPTIONS:
        return (get(record, W_STATUS) >> 16) & 0xFFFF
    same = get(record, W_SRC_HI) == get(record, W_DST_HI) and get(record, W_SRC_LO) == get(record, W_DST_LO)
    return 1 if same else 0


def take_effect(rules: Address, entry: Address, program: int) -> int:
    """The rule matched: do to the flow's bits what the program says after its tests."""
    at = program
    head = table_at(rules, at)
    while head != OP_END:
        at += ((head >> 24) & 0xFF) + 1
        head = table_at(rules, at)
    at += 1
    head = table_at(rules, at)
    while head != OP_END:
        operation = head & 0xFF
        word = E_BITS + (head >> 38)
        bit = 1 << ((head >> 32) & 63)
        bits = get(entry, word)
        if operation == OP_SET:
            bits |= bit
        elif operation == OP_UNSET:
            bits &= bit ^ MASK64
        elif operation == OP_TOGGLE:
            bits ^= bit
        put(entry, word, bits)
        at += 1
        head = table_at(rules, at)
    return 0
