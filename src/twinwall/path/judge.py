"""The stateless engine on one frame: decode it, then ask the rules.  This is what replay runs first and what XDP runs.

A frame that does not carry IP passes: this is a firewall of IP packets, and ARP must live.  A malformed one is dropped.
"""

from __future__ import annotations

from twinwall.path.classify import stateless
from twinwall.path.decode import decode
from twinwall.path.layout import NO_RULE, RECORD_WORDS, W_SACK
from twinwall.path.primitives import Address, get, put, table_at
from twinwall.path.reason import Reason
from twinwall.path.table_layout import ACTION_DROP, ACTION_PASS, H_STEPS, H_WORDS

W_JUDGED = RECORD_WORDS  # where `xdp` leaves the outcome, behind the record


def judge(
    packet: Address,
    end: Address,
    link: int,
    wire_length: int,
    interface: int,
    table: Address,
    record: Address,
    words: int,
    steps: int,
) -> int:
    """Judge the frame in [packet, end): bits 0-7 ACTION_*, 8-15 `Reason`, 32-63 rule index or NO_RULE.

    `wire_length` is the frame's length before the capture cut it; `words` and `steps` bound the loops over `table`.
    """
    reason = decode(packet, end, link, wire_length, record)
    if reason != 0:
        action = ACTION_DROP
        if reason == Reason.NOT_IP:
            action = ACTION_PASS
        return action | reason << 8 | NO_RULE << 32
    put(record, W_SACK, get(record, W_SACK) | interface << 56)
    return stateless(table, record, words, steps)


def xdp(packet: Address, end: Address, wire_length: int, interface: int, table: Address, record: Address) -> int:
    """What XDP asks of a frame on an Ethernet interface: as `judge`, with the bounds that the table itself states.

    The frame's later parts may lie elsewhere (a jumbo frame's pages): [packet, end) is its beginning, `wire_length` its length.
    """
    judged = judge(packet, end, 0, wire_length, interface, table, record, table_at(table, H_WORDS), table_at(table, H_STEPS))
    put(record, W_JUDGED, judged)
    return judged
