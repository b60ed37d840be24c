"""The stateful rules on one packet: Suricata's algorithm for rules that look at headers, and AWS's default actions.

A flow that was decided keeps its verdict, and no rule runs.  Else the entries that accept the packet are walked in order:

- `pass` ends the walk; `drop` and `reject` decide and go on, so that later rules still report; `alert` reports;
- the first of them to decide gives the verdict (a `reject` after a `drop` adds its answer; a `pass` after it changes nothing);
- where the rule covers the flow, the flow is marked; the first mark stays;
- a rule that matches sets its flowbits, also behind the `pass` that ended the walk;
- default actions stand at the end and count only for a packet that no rule decided.

IP-only rules run once for each side of a flow: the flow remembers whether they did.
"""

from __future__ import annotations

from twinwall.path.apply import (
    NO_SIDE,
    OUT_ANSWER,
    OUT_DECIDED,
    OUT_MATCHED,
    OUT_REASON,
    OUT_RULE,
    OUT_SCOPE,
    OUT_STOP,
    apply,
)
from twinwall.path.candidates import LIST_COUNT, LIST_MANY, collect, make_list, take_first
from twinwall.path.flow_state import (
    E_CANDIDATE_O,
    E_VERDICT,
    FLOW_OPEN,
    FLOW_PASS,
    TRACK_ESTABLISHED,
    TRACK_QUOTE,
    TRACK_TO_CLIENT,
)
from twinwall.path.layout import ACK, FIN, MARK_FRAGMENT, NO_RULE, RST, SYN, TCP, W_KEY, W_STATUS
from twinwall.path.lookup import block_word, blocks_at, context_row, kind_row, row_at
from twinwall.path.primitives import Address, get, note, put, table_at
from twinwall.path.reason import Reason, Verdict
from twinwall.path.table_layout import (
    CHECK_CONTEXT,
    CHECK_DEFAULT,
    CHECK_KIND,
    H_CANDIDATE_BITS,
    H_CHECKS,
    H_INFO,
    H_SUMMARIES,
    INFO_RULE_SHIFT,
)
from twinwall.path.trace import TraceEvent

MASK32 = 0xFFFFFFFF
ESTABLISHED, FIRST = 4, 8  # of a packet's place in its flow, beside its direction (CHECK_FLOW)


def evaluate(rules: Address, record: Address, entry: Address, tracked: int, alerts: Address) -> int:
    """Judge one packet: bits 0-7 `Verdict`, 8-15 `Reason`, 16-23 scope (1: its flow), 32-63 rule index or NO_RULE.

    `tracked` is the tracker's word, `entry` the packet's entry; for a packet that has none, an entry of zeros, which stays so.
    Matches that are to be reported are appended to `alerts` without the packet's number, at most H_ALERT_LIMIT of them.
    """
    state = get(entry, E_VERDICT)
    if ((state >> 32) & 0xFF) != FLOW_OPEN:
        return settled(record, state)
    side = NO_SIDE
    place = NO_SIDE | FIRST
    if tracked >> 32:
        side = 1 if tracked & TRACK_TO_CLIENT else 0
        place = side
        if ((state >> (40 + side)) & 1) == 0:
            place |= FIRST
            put(entry, E_VERDICT, state | (1 << (40 + side)))
    else:
        place |= is_answer(record)
    if tracked & TRACK_ESTABLISHED:
        place |= ESTABLISHED
    note(record, TraceEvent.RULES_ASKED, place)
    # Only a packet with the five-tuple of its flow may use, and make, what the flow remembers of it.
    listed = LIST_MANY << LIST_COUNT
    if side != NO_SIDE and (tracked & TRACK_QUOTE) == 0 and (get(record, W_STATUS) & (MARK_FRAGMENT << 8)) == 0:
        listed = get(entry, E_CANDIDATE_O + side)
        if listed == 0:
            listed = make_list(rules, record, entry, side)
    outcome = walk(rules, record, entry, side, place, listed, alerts)
    if outcome & OUT_DECIDED:
        return outcome & OUT_ANSWER
    note(record, TraceEvent.NO_RULE, 0)
    return Verdict.PASS | (Reason.NO_RULE << OUT_REASON) | (NO_RULE << OUT_RULE)


def is_answer(record: Address) -> int:
    """1 for a SYN-ACK.  A packet of no flow counts as a flow's first, to the server; a SYN-ACK can only answer a client."""
    key = get(record, W_KEY)
    return 1 if ((key >> 32) & 0xFF) == TCP and ((key >> 48) & (FIN | SYN | RST | ACK)) == (SYN | ACK) else 0


def settled(record: Address, state: int) -> int:
    """The answer for a packet of a flow that was decided before."""
    verdict = (state >> 32) & 0xFF
    note(record, TraceEvent.FLOW_VERDICT, verdict)
    rest = (1 << OUT_SCOPE) | ((state & MASK32) << OUT_RULE)
    if verdict == FLOW_PASS:
        return Verdict.PASS | (Reason.FLOW_PASS << OUT_REASON) | rest
    return Verdict.DROP | (Reason.FLOW_DROP << OUT_REASON) | rest


def walk(rules: Address, record: Address, entry: Address, side: int, place: int, listed: int, alerts: Address) -> int:
    """Apply, in order, every candidate that accepts what the five-tuple does not say: OUT_*."""
    left = (listed >> LIST_COUNT) & 7
    many = 1 if left == LIST_MANY else 0
    if many:
        left = collect(rules, record, entry, side if listed >> 63 else NO_SIDE, listed >> 63)
    note(record, TraceEvent.CANDIDATES, left)
    bits = table_at(rules, H_CANDIDATE_BITS)
    info = table_at(rules, H_INFO)
    checks = table_at(rules, H_CHECKS)
    outcome = 0
    last = NO_RULE
    while left > 0:
        left -= 1
        if many:
            number = take_first(rules)  # to the end, so that no bit stays behind
        else:
            number = listed & ((1 << bits) - 1)
            listed = listed >> bits
        asks = table_at(rules, checks + (number << 1))
        if (outcome & OUT_STOP) == 0 and (asks >> place) & 1 and fits(rules, record, number, asks):
            known = table_at(rules, checks + (number << 1) + 1)
            if known and outcome == 0:
                outcome = known
                last = known >> OUT_RULE
                note(record, TraceEvent.DEFAULT_ACTION if asks & CHECK_DEFAULT else TraceEvent.MATCH, last)
                note(record, TraceEvent.DECIDED, last)
                continue
            what = table_at(rules, info + number)
            if (what >> INFO_RULE_SHIFT) != last:
                outcome = apply(rules, record, entry, side, asks, what, outcome, alerts)
                if outcome & OUT_MATCHED:
                    last = what >> INFO_RULE_SHIFT  # the other half of a two-way rule does not count again
    return outcome


def fits(rules: Address, record: Address, number: int, asks: int) -> int:
    """1 if the entry accepts the packet's kind and context, or asks for neither (the five-tuple has the protocol)."""
    if (asks & (CHECK_KIND | CHECK_CONTEXT)) == 0:
        return 1
    key = get(record, W_KEY)
    status = get(record, W_STATUS)
    accepted = 1
    if asks & CHECK_KIND:
        accepted = in_row(rules, kind_row(rules, record, key, status), number)
    if asks & CHECK_CONTEXT:
        accepted &= in_row(rules, context_row(rules, record, key, status), number)
    return accepted


def in_row(rules: Address, row: int, number: int) -> int:
    """The bit of entry `number` in row number `row`."""
    blocks = blocks_at(row_at(rules, row), table_at(rules, H_SUMMARIES))
    return (block_word(rules, blocks, number >> 6) >> (number & 63)) & 1
