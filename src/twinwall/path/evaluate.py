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
from twinwall.path.candidates import LIST_COUNT, LIST_MANY, list_of
from twinwall.path.flow_state import (
    E_CACHE_O,
    E_VERDICT,
    FLOW_OPEN,
    FLOW_PASS,
    TRACK_ESTABLISHED,
    TRACK_QUOTE,
    TRACK_TO_CLIENT,
)
from twinwall.path.layout import MARK_FRAGMENT, NO_RULE, W_DST_HI, W_SRC_HI, W_STATUS
from twinwall.path.lookup import (
    NO_ENTRY,
    address_row,
    block_word,
    context_row,
    half_word,
    kind_row,
    port_row,
    row_at,
    scan,
)
from twinwall.path.primitives import Address, get, note, put, table_at
from twinwall.path.reason import Reason, Verdict
from twinwall.path.table_layout import (
    H_CANDIDATE_BITS,
    H_DESTINATION_INDEX,
    H_DESTINATION_PORTS,
    H_FLOWS,
    H_INFO,
    H_ROW_CACHE,
    H_SOURCE_INDEX,
    H_SOURCE_PORTS,
    H_STEPS,
    H_SUMMARIES,
    H_WORDS,
    INFO_RULE_SHIFT,
)
from twinwall.path.trace import TraceEvent

MASK32 = 0xFFFFFFFF


def evaluate(rules: Address, record: Address, entry: Address, tracked: int, alerts: Address) -> int:
    """Judge one packet: bits 0-7 `Verdict`, 8-15 `Reason`, 16-23 scope (1: its flow), 32-63 rule index or NO_RULE.

    `tracked` is the tracker's word, `entry` the packet's entry; for a packet that has none, an entry of zeros, which stays so.
    Matches that are to be reported are appended to `alerts` without the packet's number, at most H_ALERT_LIMIT of them.
    """
    side = NO_SIDE
    if tracked >> 32:
        side = 1 if tracked & TRACK_TO_CLIENT else 0
    state = get(entry, E_VERDICT)
    if ((state >> 32) & 0xFF) != FLOW_OPEN:
        return settled(record, state)
    place = side | 8
    if side != NO_SIDE:
        place = side | ((((state >> (40 + side)) & 1) ^ 1) << 3)
        put(entry, E_VERDICT, state | (1 << (40 + side)))
    if tracked & TRACK_ESTABLISHED:
        place |= 4
    # Only a packet with the five-tuple of its flow may use, and make, what the flow remembers of it.
    listed = LIST_MANY << LIST_COUNT
    if side != NO_SIDE and (tracked & TRACK_QUOTE) == 0 and ((get(record, W_STATUS) >> 8) & MARK_FRAGMENT) == 0:
        listed = list_of(rules, record, entry, side)
    if ((listed >> LIST_COUNT) & 7) == LIST_MANY:
        outcome = walk_rows(rules, record, entry, side, place, listed, alerts)
    else:
        outcome = walk_list(rules, record, entry, side, place, listed, alerts)
    if outcome & OUT_DECIDED:
        return outcome & OUT_ANSWER
    note(record, TraceEvent.NO_RULE, 0)
    return Verdict.PASS | (Reason.NO_RULE << OUT_REASON) | (NO_RULE << OUT_RULE)


def settled(record: Address, state: int) -> int:
    """The answer for a packet of a flow that was decided before."""
    verdict = (state >> 32) & 0xFF
    note(record, TraceEvent.FLOW_VERDICT, verdict)
    rest = (1 << OUT_SCOPE) | ((state & MASK32) << OUT_RULE)
    if verdict == FLOW_PASS:
        return Verdict.PASS | (Reason.FLOW_PASS << OUT_REASON) | rest
    return Verdict.DROP | (Reason.FLOW_DROP << OUT_REASON) | rest


def walk_list(rules: Address, record: Address, entry: Address, side: int, place: int, listed: int, alerts: Address) -> int:
    """Apply those of a few candidates that accept what the five-tuple does not say: OUT_*."""
    count = (listed >> LIST_COUNT) & 7
    note(record, TraceEvent.CANDIDATES, count)
    summaries = table_at(rules, H_SUMMARIES)
    kind = row_at(rules, kind_row(rules, record)) + summaries
    context = row_at(rules, context_row(rules, record)) + summaries
    flow = row_at(rules, half_word(rules, table_at(rules, H_FLOWS), place)) + summaries
    bits = table_at(rules, H_CANDIDATE_BITS)
    info = table_at(rules, H_INFO)
    outcome = 0
    last = NO_RULE
    while count > 0 and (outcome & OUT_STOP) == 0:
        number = listed & ((1 << bits) - 1)
        listed = listed >> bits
        count -= 1
        word = number >> 6
        hits = block_word(rules, kind, word) & block_word(rules, context, word) & block_word(rules, flow, word)
        what = table_at(rules, info + (number << 1))
        if (hits >> (number & 63)) & 1 and (what >> INFO_RULE_SHIFT) != last:
            program = table_at(rules, info + (number << 1) + 1)
            outcome = apply(rules, record, entry, side, number, what, program, outcome, alerts)
            if outcome & OUT_MATCHED:
                last = what >> INFO_RULE_SHIFT
    return outcome


def walk_rows(rules: Address, record: Address, entry: Address, side: int, place: int, listed: int, alerts: Address) -> int:
    """Apply every entry in all of the packet's rows: OUT_*."""
    kind = row_at(rules, kind_row(rules, record))
    context = row_at(rules, context_row(rules, record))
    flow = row_at(rules, half_word(rules, table_at(rules, H_FLOWS), place))
    if listed >> 63 and table_at(rules, H_ROW_CACHE):
        rows = get(entry, E_CACHE_O + side)
        source = rows & 0xFFFF
        destination = (rows >> 16) & 0xFFFF
        sport = (rows >> 32) & 0xFFFF
        dport = rows >> 48
    else:
        steps = table_at(rules, H_STEPS)
        source = address_row(rules, record, W_SRC_HI, H_SOURCE_INDEX, steps)
        destination = address_row(rules, record, W_DST_HI, H_DESTINATION_INDEX, steps)
        sport = port_row(rules, record, 0, H_SOURCE_PORTS)
        dport = port_row(rules, record, 16, H_DESTINATION_PORTS)
    source = row_at(rules, source)
    destination = row_at(rules, destination)
    sport = row_at(rules, sport)
    dport = row_at(rules, dport)
    words = table_at(rules, H_WORDS)
    info = table_at(rules, H_INFO)
    outcome = 0
    last = NO_RULE
    number = scan(rules, record, words, 0, source, destination, sport, dport, kind, context, flow)
    while number != NO_ENTRY and (outcome & OUT_STOP) == 0:
        what = table_at(rules, info + (number << 1))
        if (what >> INFO_RULE_SHIFT) != last:
            program = table_at(rules, info + (number << 1) + 1)
            outcome = apply(rules, record, entry, side, number, what, program, outcome, alerts)
            if outcome & OUT_MATCHED:
                last = what >> INFO_RULE_SHIFT
        number = scan(rules, record, words, number + 1, source, destination, sport, dport, kind, context, flow)
    return outcome
