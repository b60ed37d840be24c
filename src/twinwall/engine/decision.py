"""A packet's outcome as a row of `path.layout.DECISION`: composing it, counting it, and what a reject would send."""

from __future__ import annotations

from enum import IntEnum

from twinwall.engine.desk import COUNTS, D_STATEFUL_HITS, D_STATELESS_HITS
from twinwall.engine.talkers import count_talker
from twinwall.path.layout import ICMP6, NO_RULE, TCP, W_FRAME, W_KEY
from twinwall.path.primitives import Address, get, put, table_at
from twinwall.path.reason import StageName, Verdict

# Words of a decision.  W_OUTCOME: verdict:8 stage:8 reason:8 ct_state:8 direction:8 established:8 reject:8 scope:8
D_PACKET, D_TIMESTAMP, D_FLOW_ID, D_RULE, D_OUTCOME = 0, 1, 2, 3, 4
PENDING = 0xFF  # a verdict that is still to come
MASK32 = 0xFFFFFFFF

NOT_TRACKED = 2 << 32 | 2 << 40  # direction NONE, established: the question does not arise


class RejectReply(IntEnum):
    """What a reject sends to the packet's sender (Suricata 7, `reject`)."""

    NONE = 0
    TCP_RESET = 1
    ICMP_PROHIBITED = 2  # ICMP destination unreachable, communication administratively prohibited
    ICMPV6_PROHIBITED = 3


def reply_of(record: Address) -> int:
    """The `RejectReply` to this packet."""
    key = get(record, W_KEY)
    if key >> 32 & 0xFF == TCP:
        return RejectReply.TCP_RESET
    if key >> 40 & 0xFF == 6:
        if key >> 32 & 0xFF == ICMP6:
            return RejectReply.NONE
        return RejectReply.ICMPV6_PROHIBITED
    return RejectReply.ICMP_PROHIBITED


def count_hit(desk: Address, section: int, rule: int, length: int) -> int:
    """Count a packet of `length` bytes to a rule; `section` is D_STATELESS_HITS or D_STATEFUL_HITS."""
    hits = desk + ((table_at(desk, section) + rule * 2) << 3)
    put(hits, 0, get(hits, 0) + 1)
    put(hits, 1, get(hits, 1) + length)
    return 0


def decide(decision: Address, desk: Address, record: Address, rule: int, outcome: int) -> int:
    """Write the rule and the outcome of a packet and count them."""
    length = get(record, W_FRAME) & MASK32
    verdict = outcome & 0xFF
    stage = outcome >> 8 & 0xFF
    put(decision, D_RULE, rule | length << 32)
    put(decision, D_OUTCOME, outcome)
    outcomes = (stage << 8 | (outcome >> 16 & 0xFF)) * 3 + verdict
    place = desk + ((COUNTS + (outcomes * 6 + (outcome >> 24 & 0xFF)) * 2) << 3)
    put(place, 0, get(place, 0) + 1)
    put(place, 1, get(place, 1) + length)
    if rule != NO_RULE:
        section = D_STATELESS_HITS
        if stage == StageName.STATEFUL:
            section = D_STATEFUL_HITS
        count_hit(desk, section, rule, length)
    if verdict != Verdict.PASS:
        count_talker(desk, record, length)
    return 0
