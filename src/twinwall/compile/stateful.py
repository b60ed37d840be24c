"""The stateful stage as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twinwall.compile.contexts import asks_context, flow_bits
from twinwall.compile.defaults import default_rules
from twinwall.compile.entries import Entry, entries_of
from twinwall.compile.kinds import asks_kind, compile_protocols
from twinwall.compile.order import search_order
from twinwall.compile.residual import EFFECTS, Programs
from twinwall.compile.table import Builder, RuleTable
from twinwall.path.apply import OUT_DECIDED, OUT_MATCHED, OUT_PASSED, OUT_REASON, OUT_RULE, OUT_STOP
from twinwall.path.reason import Reason, Verdict
from twinwall.path.table_layout import (
    ACTION_ALERT,
    ACTION_DROP,
    ACTION_PASS,
    ACTION_REJECT,
    CHECK_CONTEXT,
    CHECK_DEFAULT,
    CHECK_KIND,
    CHECK_PROGRAM_SHIFT,
    H_ALERT_LIMIT,
    H_CANDIDATE_BITS,
    H_CANDIDATE_LIMIT,
    H_CHECKS,
    H_EFFECTS,
    H_INFO,
    H_ORDER,
    H_PROGRAMS,
    H_PROTOCOLS,
    H_ROW_CACHE,
    H_SCRATCH,
    INFO_ACTION,
    INFO_FLOW,
    INFO_LOG,
    INFO_REASON_SHIFT,
    INFO_RULE_SHIFT,
)
from twinwall.policy.model import Action, Rule, RuleType, StatefulStage

STATEFUL_ACTIONS = {
    Action.PASS: ACTION_PASS,
    Action.DROP: ACTION_DROP,
    Action.REJECT: ACTION_REJECT,
    Action.ALERT: ACTION_ALERT,
}
ALERT_LIMIT = 15  # Suricata's packet-alert-max
LIST_BITS = 60  # a list of candidates: valid:1 count:3, then so many bits of entry numbers
LIST_LENGTH = 6  # 7 says that there are more


def compile_stateful(stage: StatefulStage, flowbits: Sequence[str], alert_limit: int = ALERT_LIMIT) -> RuleTable:
    """Compile the stage that follows connections.  Its default actions are rules after the policy's own."""
    defaults = default_rules(stage.default)
    rules = stage.rules + tuple(each.rule for each in defaults)
    entries = entries_of(rules)
    order = search_order(entries)
    searched = [entries[place] for place in order]
    builder = Builder(len(entries))
    builder.tuple_fields(searched)
    builder.packet_fields(entries)
    programs = Programs(flowbits)
    reasons = [_reason(each) for each in stage.rules] + [each.reason for each in defaults]
    infos = [_info(each.rule, reasons[each.index]) | each.index << INFO_RULE_SHIFT for each in entries]
    effects = any(each.kind in EFFECTS for rule in rules for each in rule.flowbits)
    checks: list[int] = []
    for each, info in zip(entries, infos, strict=True):
        program = programs.add(each.rule)
        asks = _checks(each, default=each.index >= len(stage.rules))
        checks += (asks | program << CHECK_PROGRAM_SHIFT, 0 if program else _known(info, effects=effects))
    builder.sections |= {
        H_INFO: np.array(infos, np.uint64),
        H_PROTOCOLS: compile_protocols(searched, builder.rows),
        H_ORDER: order.astype(np.uint32),
        H_SCRATCH: np.zeros(builder.rows.summaries + builder.rows.words, np.uint64),
        H_CHECKS: np.array(checks, np.uint64),
        H_PROGRAMS: np.array(programs.words, np.uint64),
    }
    bits = max(1, (len(entries) - 1).bit_length())
    builder.numbers |= {
        H_ALERT_LIMIT: alert_limit,
        H_CANDIDATE_BITS: bits,
        H_CANDIDATE_LIMIT: min(LIST_LENGTH, LIST_BITS // bits),
        H_ROW_CACHE: 1 if builder.rows.rows < 1 << 16 else 0,
        H_EFFECTS: 1 if effects else 0,
    }
    return builder.table(rules)


def _checks(entry: Entry, *, default: bool) -> int:
    checks = flow_bits(entry.rule) | (CHECK_DEFAULT if default else 0)
    checks |= CHECK_KIND if asks_kind(entry) else 0
    return checks | (CHECK_CONTEXT if asks_context(entry) else 0)


def _known(info: int, *, effects: bool) -> int:
    """OUT_* after a rule without a program, as `path.apply` says it where no rule matched before; 0: it depends on more."""
    action = info & INFO_ACTION
    if info & (INFO_LOG | INFO_FLOW) or action == ACTION_ALERT:
        return 0
    known = OUT_MATCHED | OUT_DECIDED | (info >> INFO_REASON_SHIFT & 0xFF) << OUT_REASON | (info >> INFO_RULE_SHIFT) << OUT_RULE
    if action == ACTION_PASS:
        return known | Verdict.PASS | OUT_PASSED | (0 if effects else OUT_STOP)
    return known | (Verdict.REJECT if action == ACTION_REJECT else Verdict.DROP)


def _covers_flow(rule: Rule) -> bool:
    return rule.type is not RuleType.PACKET and rule.action is not Action.ALERT


def _reason(rule: Rule) -> Reason:
    return Reason.RULE_FLOW if _covers_flow(rule) else Reason.RULE


def _info(rule: Rule, reason: Reason) -> int:
    flow = INFO_FLOW if _covers_flow(rule) else 0
    reports = not rule.noalert and (rule.action is not Action.PASS or rule.alert)
    return STATEFUL_ACTIONS[rule.action] | flow | (INFO_LOG if reports else 0) | reason << INFO_REASON_SHIFT
