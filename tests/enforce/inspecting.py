"""A ruleset of the renderer's meaning, written by hand for one host that talks to itself: what an inspector's tests need."""

from __future__ import annotations

from twinwall.live.queue_rule import QueueRule
from twinwall.render.marks import ACTION_MASK, ACTION_SHIFT, CT_DROP, CT_PASS, RULE_NUMBER, RuleAction

QUEUE = 5
PASSED, DROPPED, REFUSED = 9000, 9001, 9002  # what rule 1, rule 2 and no rule of the policy say about these UDP ports

POLICY = f"""
twinwall: 1
stateful:
  rules: |
    pass udp any any -> any {PASSED} (inspect; sid:100;)
    drop udp any any -> any {DROPPED} (inspect; sid:101;)
attach:
  mode: host
  outside: [lo]
  on_inspection_failure: {{failure}}
  queues: {QUEUE}
"""


def policy_text(failure="drop"):
    return POLICY.format(failure=failure)


def _action(action):
    return f"{action << ACTION_SHIFT:#x}"


def ruleset(failure="drop"):
    """Ports choose rule numbers; the decision is stored on the connection, which then bypasses the queue."""
    undecided = "accept" if failure == "pass" else "drop"
    masked = f"meta mark & {ACTION_MASK:#x} =="
    number = f"meta mark and {RULE_NUMBER:#x}"
    return f"""
table inet twinwall {{
  counter bypassed {{ }}
  counter undecided {{ }}
  counter dropped {{ }}
  chain output {{
    type filter hook output priority 0;
    ct mark & {CT_PASS:#x} != 0 counter name bypassed accept
    udp dport {PASSED} meta mark set {RuleAction.INSPECT << ACTION_SHIFT | 1:#x}
    udp dport {DROPPED} meta mark set {RuleAction.INSPECT << ACTION_SHIFT | 2:#x}
    udp dport {REFUSED} meta mark set {RuleAction.INSPECT << ACTION_SHIFT | 77:#x}
  }}
  chain decided {{
    type filter hook output priority 2;
    {masked} {_action(RuleAction.PASS)} ct mark set {number} or {CT_PASS:#x} accept
    {masked} {_action(RuleAction.DROP)} counter name dropped ct mark set {number} or {CT_DROP:#x} drop
    {masked} {_action(RuleAction.INSPECT)} counter name undecided {undecided}
  }}
}}
"""


def queue_rule(failure="drop"):
    return (QueueRule("output", QUEUE, QUEUE, bypass=failure == "pass"),)
