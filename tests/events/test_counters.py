from __future__ import annotations

from tests.events.batches import batch, decision, rule, tcp_record
from twinwall.engine.batch import RuleBook
from twinwall.events.counters import Counters
from twinwall.path.reason import CtState, Reason, StageName, Verdict

RULES = RuleBook((rule(1), rule(2)), (rule(3), rule(4), rule(5)))


def test_every_packet_is_counted_once_and_each_hit_of_a_rule():
    counters = Counters.empty(RULES)
    made = batch(
        [
            decision(1, stage=0, rule=1, verdict=1, reason=Reason.STATELESS_RULE, length=100),
            decision(2, rule=0, verdict=1, reason=Reason.RULE, length=60, ct_state=CtState.NEW),
            decision(3, reason=Reason.NO_RULE, length=2**32 - 1, ct_state=CtState.NEW),
        ],
        [tcp_record()] * 3,
        alerts=[{"packet": 2, "rule": 0}, {"packet": 2, "rule": 2}, {"packet": 3, "rule": 2}],
        rules=RULES,
    )
    counters.count(made)
    counters.count(made)
    assert counters.outcomes[StageName.STATELESS, Reason.STATELESS_RULE, Verdict.DROP].tolist() == [2, 200]
    assert counters.outcomes[StageName.STATEFUL, Reason.NO_RULE, Verdict.PASS].tolist() == [2, 2 * (2**32 - 1)]
    assert counters.outcomes[..., 0].sum() == 6
    assert counters.ct_states.tolist() == [2, 4, 0, 0, 0, 0]
    assert counters.stateless.tolist() == [[0, 0], [2, 200]]
    assert counters.stateful.tolist() == [[2, 120], [0, 0], [4, 2 * (60 + 2**32 - 1)]]


def test_an_empty_batch_changes_nothing():
    counters = Counters.empty(RuleBook())
    counters.count(batch([], []))
    assert counters.outcomes.sum() == 0
