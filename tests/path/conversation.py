"""One flow under one policy, packet by packet, interpreted."""

from __future__ import annotations

import numpy as np

from tests.compile.generate import FLOWBITS
from twinwall.compile.policy import compile_policy
from twinwall.conntrack import entry as conntrack_entry
from twinwall.path import flow_state
from twinwall.path.evaluate import evaluate
from twinwall.path.layout import ALERT
from twinwall.path.primitives import Pointer
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import Policy, RuleType, StatefulStage

TO_CLIENT = flow_state.TRACK_TO_CLIENT
ESTABLISHED = flow_state.TRACK_ESTABLISHED
QUOTE = flow_state.TRACK_QUOTE
ENTRY = 1 << 32
PACKET = RuleType.PACKET


class Conversation:
    """One flow under one policy, interpreted."""

    def __init__(self, policy):
        self.compiled = compile_policy(policy)
        self.rules = Pointer(self.compiled.stateful.words)
        self.entry = bytearray(conntrack_entry.ENTRY_BYTES + 8 * self.compiled.flowbit_words)
        self.alerts = np.zeros(256, ALERT)

    def packet(self, record, tracked=ENTRY, notes=None):
        """Verdict, reason, scope, rule and the alerts as (rule, blocked)."""
        self.alerts[:] = np.zeros(1, ALERT)
        packed = evaluate(
            self.rules,
            Pointer(bytearray(record.tobytes()), 0, notes),
            Pointer(self.entry),
            tracked,
            Pointer(self.alerts.view(np.uint8)),
        )
        count = int(self.alerts["packet"][0])
        alerts = [(int(each["rule"]), bool(each["blocked"])) for each in self.alerts[1 : 1 + count]]
        return Verdict(packed & 0xFF), Reason((packed >> 8) & 0xFF), (packed >> 16) & 0xFF, packed >> 32, alerts


def stage(*rules, default=()):
    return Policy(stateful=StatefulStage(rules, default=default), flowbits=FLOWBITS)
