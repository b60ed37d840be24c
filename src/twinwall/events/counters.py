"""Counters over a run: what every packet adds to.

The engine may count natively and hand the arrays over; `count` is what they mean, in NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinwall.engine.batch import DecisionBatch, RuleBook
from twinwall.path.layout import NO_RULE
from twinwall.path.reason import CtState, StageName, Verdict

Counts = NDArray[np.uint64]

STAGES, REASONS, VERDICTS = len(StageName), 256, len(Verdict)


@dataclass(frozen=True, eq=False)
class Counters:
    """Packets and bytes; the last axis of each array but `ct_states` is (packets, bytes).

    `outcomes[stage, reason, verdict]`; `ct_states[label]` packets alone; `stateless` and `stateful` by index of the compiled
    rule: a hit is a packet that the rule decided (also through its flow) or, not deciding it, alerted on.
    """

    outcomes: Counts
    ct_states: Counts
    stateless: Counts
    stateful: Counts

    @classmethod
    def empty(cls, rules: RuleBook) -> Counters:
        """Counters at zero for those rules."""
        return cls(
            outcomes=np.zeros((STAGES, REASONS, VERDICTS, 2), dtype=np.uint64),
            ct_states=np.zeros(len(CtState), dtype=np.uint64),
            stateless=np.zeros((len(rules.stateless), 2), dtype=np.uint64),
            stateful=np.zeros((len(rules.stateful), 2), dtype=np.uint64),
        )

    def count(self, batch: DecisionBatch) -> None:
        """Add a batch."""
        rows, lengths = batch.decisions, batch.decisions["length"]
        keys = (rows["stage"].astype(np.intp) * REASONS + rows["reason"]) * VERDICTS + rows["verdict"]
        _add(self.outcomes.reshape(-1, 2), keys, lengths)
        self.ct_states[:] += np.bincount(rows["ct_state"], minlength=len(self.ct_states)).astype(np.uint64)
        for stage, hits in ((StageName.STATELESS, self.stateless), (StageName.STATEFUL, self.stateful)):
            decided = (rows["stage"] == stage) & (rows["rule"] != NO_RULE)
            _add(hits, rows["rule"][decided], lengths[decided])
        if len(batch.alerts):
            self._count_alerts(batch)

    def _count_alerts(self, batch: DecisionBatch) -> None:
        alerts = batch.alerts
        decisions = batch.decisions[np.searchsorted(batch.decisions["packet"], alerts["packet"])]
        other = (decisions["rule"] != alerts["rule"]) | (decisions["stage"] != StageName.STATEFUL)
        _add(self.stateful, alerts["rule"][other], decisions["length"][other])


def _add(totals: Counts, keys: NDArray[np.integer], lengths: NDArray[np.uint32]) -> None:
    """Add one packet and its length to the row that each key names.

    `bincount` weighs in floats, which are exact here: a batch's bytes stay below 2**53.
    """
    if len(keys) == 0:
        return
    totals[:, 0] += np.bincount(keys, minlength=len(totals)).astype(np.uint64)
    totals[:, 1] += np.bincount(keys, weights=lengths, minlength=len(totals)).astype(np.uint64)
