"""Decision words: what a rule says, as bits of a packet's mark (`marks`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twinwall.policy.model import Action, Rule, RuleType
from twinwall.render.layers import Plan
from twinwall.render.marks import ACTION_MASK, ACTION_SHIFT, FAST, LAST, REPORTS, SCOPE_FLOW, RuleAction

ACTIONS = {
    Action.PASS: RuleAction.PASS,
    Action.DROP: RuleAction.DROP,
    Action.REJECT: RuleAction.REJECT,
    Action.ALERT: RuleAction.ALERT,
}


def covers_flow(rule: Rule) -> bool:
    """Whether the rule's verdict is its flow's."""
    return rule.type is not RuleType.PACKET and rule.action is not Action.ALERT


def word_of(rule: Rule, place: int) -> int:
    """The decision word of the rule at `place` of the stage."""
    if rule.inspect:  # the inspector reports, and says what the verdict covers
        return place + 1 | RuleAction.INSPECT << ACTION_SHIFT | (SCOPE_FLOW if covers_flow(rule) else 0)
    reports = not rule.noalert and (rule.action is not Action.PASS or rule.alert)
    scope = SCOPE_FLOW if covers_flow(rule) else 0
    return place + 1 | ACTIONS[rule.action] << ACTION_SHIFT | scope | (REPORTS if reports else 0)


def action_of(word: int) -> RuleAction:
    """The action in a word."""
    return RuleAction((word & ACTION_MASK) >> ACTION_SHIFT)


def with_hindsight(plan: Plan) -> Plan:
    """The plan with FAST on what a pass rule may skip next time, and LAST on drops behind which nothing matters."""
    words = np.array(plan.words, np.int64)
    action = (words & ACTION_MASK) >> ACTION_SHIFT
    drops = (action == RuleAction.DROP) | (action == RuleAction.REJECT)
    effects = np.array([bool(unit.match.guard.effects) for unit in plan.units], np.bool_)
    reports, flow = words & REPORTS != 0, words & SCOPE_FLOW != 0
    alert = (action == RuleAction.ALERT) | effects
    fast = (action == RuleAction.PASS) & ~reports & ~flow & ~effects
    open_end = np.zeros(len(words), np.bool_)
    for at, earlier in enumerate(plan.pairs):
        if fast[at] and alert[earlier].any():
            fast[at] = False
        mine = earlier[drops[earlier]]
        if len(mine) and (reports[at] or effects[at] or flow[at] or action[at] == RuleAction.REJECT):
            always = reports[at] or effects[at]
            reject = (action[at] == RuleAction.REJECT) & (action[mine] == RuleAction.DROP)
            open_end[mine] |= always | reject | (flow[at] & ~flow[mine])
    words |= np.where(fast, FAST, 0) | np.where(drops & ~open_end, LAST, 0)
    return replace(plan, words=tuple(words.tolist()))
