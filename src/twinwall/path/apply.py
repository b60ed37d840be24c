"""What one matching rule does: to the packet, to its flow, to the flow's bits, and to the list of alerts."""

from __future__ import annotations

from twinwall.path.flow_state import (
    E_FLOW_ID,
    E_O_BYTES,
    E_O_PACKETS,
    E_R_BYTES,
    E_R_PACKETS,
    E_START,
    E_VERDICT,
    FLOW_DROP,
    FLOW_OPEN,
    FLOW_PASS,
    FLOW_REJECT,
)
from twinwall.path.primitives import Address, get, note, put, table_at
from twinwall.path.reason import Reason, Verdict
from twinwall.path.residual import holds, take_effect
from twinwall.path.table_layout import (
    ACTION_ALERT,
    ACTION_DROP,
    ACTION_PASS,
    ACTION_REJECT,
    CHECK_DEFAULT,
    CHECK_PROGRAM_SHIFT,
    H_ALERT_LIMIT,
    H_EFFECTS,
    H_PROGRAMS,
    INFO_ACTION,
    INFO_FLOW,
    INFO_LOG,
    INFO_REASON_SHIFT,
    INFO_RULE_SHIFT,
)
from twinwall.path.trace import TraceEvent

NO_SIDE = 2  # of a packet that belongs to no flow

# What is known of a packet while its rules are walked: the answer of `evaluate` in bits 0-23 and 32-63, and between them:
OUT_REASON, OUT_SCOPE, OUT_RULE = 8, 16, 32
OUT_ANSWER = 0xFFFFFFFF00FFFFFF
OUT_DECIDED = 1 << 24  # a rule or a default action gave a verdict
OUT_PASSED = 1 << 25  # a pass rule ended the walk: what follows only sets flowbits
OUT_STOP = 1 << 26  # nothing that follows can matter
OUT_MATCHED = 1 << 27  # the last entry matched
OUT_ALERTS = 28  # 4 bits: how many alerts the packet has

# The buffer of alerts: its first row is a header whose first word counts the rows that follow (path.layout.ALERT).
ALERT_ROW_WORDS = 8


def apply(
    rules: Address, record: Address, entry: Address, side: int, asks: int, info: int, outcome: int, alerts: Address
) -> int:
    """The entry whose words are `asks` (CHECK_*) and `info` accepts the packet's header: what is known after it."""
    rule = info >> INFO_RULE_SHIFT
    outcome = outcome & (OUT_MATCHED ^ 0xFFFFFFFFFFFFFFFF)
    default = asks & CHECK_DEFAULT
    if default and ruled(outcome):
        return outcome | OUT_STOP
    program = asks >> CHECK_PROGRAM_SHIFT
    start = table_at(rules, H_PROGRAMS) + program
    if program and holds(rules, record, entry, start) == 0:
        note(record, TraceEvent.RESIDUAL_FAILED, rule)
        return outcome
    if program and side != NO_SIDE:
        take_effect(rules, entry, start)
    outcome |= OUT_MATCHED
    if outcome & OUT_PASSED:
        return outcome
    note(record, TraceEvent.DEFAULT_ACTION if default else TraceEvent.MATCH, rule)
    action = info & INFO_ACTION
    if info & INFO_LOG and ((outcome >> OUT_ALERTS) & 15) < table_at(rules, H_ALERT_LIMIT):
        report(entry, side, rule, 1 if action == ACTION_DROP or action == ACTION_REJECT else 0, alerts)
        outcome += 1 << OUT_ALERTS
    if action == ACTION_ALERT:
        return outcome
    marked = 0
    if info & INFO_FLOW and side != NO_SIDE:
        marked = mark_flow(record, entry, action, rule)
    return decide(rules, record, info, marked, outcome)


def ruled(outcome: int) -> int:
    """1 if a rule, not a default action, has decided the packet."""
    reason = (outcome >> OUT_REASON) & 0xFF
    return 1 if reason == Reason.RULE or reason == Reason.RULE_FLOW else 0


def decide(rules: Address, record: Address, info: int, marked: int, outcome: int) -> int:
    """A pass, drop or reject rule matches: the first decides, a reject adds its answer to a drop, a pass ends the walk."""
    action = info & INFO_ACTION
    rule = info >> INFO_RULE_SHIFT
    verdict = Verdict.DROP
    if action == ACTION_PASS:
        verdict = Verdict.PASS
        outcome |= OUT_PASSED
        if table_at(rules, H_EFFECTS) == 0:
            outcome |= OUT_STOP
    elif action == ACTION_REJECT:
        verdict = Verdict.REJECT
    if outcome & OUT_DECIDED and (verdict != Verdict.REJECT or (outcome & 0xFF) == Verdict.REJECT):
        note(record, TraceEvent.OVERRULED, rule)
        return outcome
    reason = (info >> INFO_REASON_SHIFT) & 0xFF
    if marked == 0 and reason == Reason.RULE_FLOW:
        reason = Reason.RULE
    note(record, TraceEvent.DECIDED, rule)
    kept = outcome & (OUT_ANSWER ^ 0xFFFFFFFFFFFFFFFF)
    return kept | OUT_DECIDED | verdict | (reason << OUT_REASON) | (marked << OUT_SCOPE) | (rule << OUT_RULE)


def mark_flow(record: Address, entry: Address, action: int, rule: int) -> int:
    """Let the verdict hold for the flow, unless the flow has one; 1 if it was set."""
    state = get(entry, E_VERDICT)
    if ((state >> 32) & 0xFF) != FLOW_OPEN:
        note(record, TraceEvent.FLOW_KEPT, rule)
        return 0
    verdict = FLOW_DROP
    if action == ACTION_PASS:
        verdict = FLOW_PASS
    elif action == ACTION_REJECT:
        verdict = FLOW_REJECT
    put(entry, E_VERDICT, (state & 0xFFFFFF0000000000) | (verdict << 32) | rule)
    note(record, TraceEvent.FLOW_MARKED, rule)
    return 1


def report(entry: Address, side: int, rule: int, blocked: int, alerts: Address) -> int:
    """Append one match to the buffer of alerts, and count it for the flow; the caller fills in the packet's number."""
    count = get(alerts, 0) + 1
    put(alerts, 0, count)
    row = alerts + count * ALERT_ROW_WORDS * 8
    put(row, 1, get(entry, E_FLOW_ID))
    put(row, 2, rule | (blocked << 32) | ((side & 1) << 40))
    put(row, 3, get(entry, E_O_PACKETS))
    put(row, 4, get(entry, E_O_BYTES))
    put(row, 5, get(entry, E_R_PACKETS))
    put(row, 6, get(entry, E_R_BYTES))
    put(row, 7, get(entry, E_START))
    if side != NO_SIDE:
        state = get(entry, E_VERDICT)
        if (state >> 48) < 0xFFFF:
            put(entry, E_VERDICT, state + (1 << 48))
    return 0
