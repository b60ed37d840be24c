"""ICMP and ICMPv6 queries: which types ask, which answer, and the tuple they make (RFC 792, RFC 950, RFC 4443, RFC 4620)."""

from __future__ import annotations

from twinwall.conntrack.header import H_ICMP, H_ICMP6
from twinwall.path.layout import ICMP, ICMP6, W_HEADER, W_ICMP, W_KEY
from twinwall.path.primitives import Address, get, table_at

ECHO, ECHO_REPLY, TIMESTAMP, TIMESTAMP_REPLY = 8, 0, 13, 14
INFO, INFO_REPLY, ADDRESS, ADDRESS_REPLY = 15, 16, 17, 18
ECHO6, ECHO6_REPLY, NODE, NODE_REPLY = 128, 129, 139, 140
REDIRECT6 = 137
NO_ANSWER = 0x1FF  # no type: this message is no part of a query


def inverse_type(proto: int, kind: int) -> int:
    """The type that answers, or asked for, this one; `NO_ANSWER` if the message is no part of a query."""
    if proto == ICMP:
        if kind == ECHO:
            return ECHO_REPLY
        if kind == ECHO_REPLY:
            return ECHO
        if kind == TIMESTAMP or kind == INFO or kind == ADDRESS:
            return kind + 1
        if kind == TIMESTAMP_REPLY or kind == INFO_REPLY or kind == ADDRESS_REPLY:
            return kind - 1
        return NO_ANSWER
    if kind == ECHO6 or kind == NODE:
        return kind + 1
    if kind == ECHO6_REPLY or kind == NODE_REPLY:
        return kind - 1
    return NO_ANSWER


def asks(proto: int, kind: int) -> int:
    """1 if a message of this type may begin an entry."""
    if proto == ICMP:
        return 1 if kind == ECHO or kind == TIMESTAMP or kind == INFO or kind == ADDRESS else 0
    return 1 if kind == ECHO6 or kind == NODE else 0


def quotes(proto: int, kind: int) -> int:
    """1 if a message of this type is an error, which quotes the packet it is about."""
    if proto == ICMP:
        return 1 if kind == 3 or kind == 4 or kind == 5 or kind == 11 or kind == 12 else 0
    return 1 if kind < 128 or kind == REDIRECT6 else 0


def is_housekeeping(kind: int) -> int:
    """1 for the ICMPv6 messages of a link itself, which Linux does not track: group membership, neighbours, routers."""
    if kind >= 130 and kind <= 136:
        return 1
    return 1 if kind == 143 or kind == 151 or kind == 152 else 0


def icmp_key(record: Address) -> int:
    """The forward key: identifier, type and code."""
    header = get(record, W_HEADER)
    kind = (header >> 32) & 0xFF
    code = (header >> 40) & 0xFF
    return (get(record, W_KEY) & 0xFFFF00000000) | (get(record, W_ICMP) & 0xFFFF) | (code << 16) | (kind << 24)


def inverse_icmp_key(key: int) -> int:
    """The same message's key seen from the other side; the key itself where nothing answers."""
    kind = inverse_type((key >> 32) & 0xFF, (key >> 24) & 0xFF)
    if kind == NO_ANSWER:
        return key
    return (key & 0xFFFF00FFFFFF) | (kind << 24)


def icmp_timeout(table: Address, proto: int) -> int:
    """How long a query's entry lives after each of its messages."""
    return table_at(table, H_ICMP6 if proto == ICMP6 else H_ICMP)
