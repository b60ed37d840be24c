"""The order in which the stateful stage evaluates its rules.

Strict order is the order of the text.  Action order is Suricata 7's: by action (pass, drop, reject, alert); inside one
action rules that set flow bits, then those that set and test them, then those that test, then all others; then by
priority; then by sid (measured: not as loaded).
"""

from __future__ import annotations

from collections.abc import Iterable

from twinwall.policy.model import Action, FlowbitKind, Order, Rule

ACTION_RANK = {Action.PASS: 0, Action.DROP: 1, Action.REJECT: 2, Action.ALERT: 3, Action.FORWARD: 4}
TESTS = (FlowbitKind.ISSET, FlowbitKind.ISNOTSET)


def evaluation_order(rules: Iterable[Rule], order: Order) -> tuple[Rule, ...]:
    """The rules in the order in which the stage asks them."""
    if order is Order.STRICT:
        return tuple(rules)
    return tuple(sorted(rules, key=lambda rule: (ACTION_RANK[rule.action], _flowbits_rank(rule), rule.priority, rule.sid)))


def _flowbits_rank(rule: Rule) -> int:
    tests = any(option.kind in TESTS for option in rule.flowbits)
    changes = any(option.kind not in TESTS for option in rule.flowbits)
    return {(False, True): 0, (True, True): 1, (True, False): 2, (False, False): 3}[tests, changes]
