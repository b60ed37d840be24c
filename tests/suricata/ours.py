"""twinwall's answer about a capture, in the form of the oracle's."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.suricata.oracle import HOUR, Alert, Observation
from twinwall.api import replay
from twinwall.engine.batch import DecisionBatch
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import Policy, Timeout
from twinwall.rules.policy_file import read_policy_text

LONG = ", ".join(f"{timeout.value[0]}: {HOUR}s" for timeout in Timeout if not timeout.value[0].startswith("fragment"))
POLICY = """
twinwall: 1
variables:
  HOME_NET: [10.0.0.0/8, 2001:db8::/32]
  EXTERNAL_NET: ["!$HOME_NET"]
  WEB: [80, 443, "8000:8099"]
tracking: {{overlap: linux}}
stateful:
  order: {order}
{default}
  midstream: continue
  invalid: continue
  rules: |
{rules}
timeouts: {{{timeouts}}}
"""


def policy_of(rules: str, order: str = "action", default: Sequence[str] = (), timeouts: str = LONG) -> Policy:
    """The policy that has these stateful rules and lets everything else through, set up to be comparable with Suricata."""
    chosen = f"  default: [{', '.join(default)}]" if default else ""
    text = POLICY.format(order=order, default=chosen, rules=textwrap.indent(rules, "    "), timeouts=timeouts)
    policy, diagnostics = read_policy_text(text, "policy.yaml", _no_file)
    assert policy is not None, "\n".join(map(str, diagnostics))
    return policy


def _no_file(name: str) -> str:
    raise FileNotFoundError(name)


@dataclass
class Packet:
    """What twinwall says of a packet beside its verdict: for finding the cause of a difference."""

    reason: Reason
    state: str
    flow: int
    established: str
    record: np.void


def ask_twinwall(policy: Policy, capture: Path) -> Observation:
    """Replay a capture."""
    return observe(replay(policy, capture))


def observe(batches: Iterator[DecisionBatch]) -> Observation:
    """What the batches of a replay say."""
    seen = Observation()
    for batch in batches:
        decisions = batch.decisions
        for row in np.flatnonzero(decisions["verdict"] != Verdict.PASS).tolist():
            seen.dropped[int(decisions["packet"][row])] = Reason(int(decisions["reason"][row])).name
        sids = [rule.sid for rule in batch.rules.stateful]
        for packet, rule, blocked in batch.alerts[["packet", "rule", "blocked"]].tolist():
            seen.report(packet, Alert(sids[rule], bool(blocked)))
    return seen


def packets(policy: Policy, capture: Path) -> tuple[Observation, dict[int, Packet]]:
    """The same with everything about each packet."""
    batches = list(replay(policy, capture))
    found: dict[int, Packet] = {}
    for batch in batches:
        columns = {name: batch.column(name).tolist() for name in ("packet", "ct_state", "flow_id", "established")}
        for row, packet in enumerate(columns["packet"]):
            reason = Reason(int(batch.decisions["reason"][row]))
            state, flow, established = (columns[name][row] for name in ("ct_state", "flow_id", "established"))
            found[packet] = Packet(reason, state, flow, established, batch.records[row])
    return observe(iter(batches)), found


def total(seen: Observation) -> Counter[int]:
    """How often each rule reported."""
    return Counter(alert.sid for alerts in seen.alerts.values() for alert in alerts.elements())
