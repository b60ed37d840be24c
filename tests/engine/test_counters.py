from __future__ import annotations

import numpy as np

from tests.engine.runs import START, batch_of, engine_of, run
from tests.engine.test_engine import QUERY, flow
from twinwall.engine.counters import FlowKind
from twinwall.path.layout import UDP


def test_counters_are_sums_over_the_decisions():
    engine = engine_of()
    found = run(engine, [batch_of([QUERY, flow(1, flags=3), flow(2), QUERY], [START + 5, START, START + 9, START + 7])])
    rows = found.decisions
    for stage, reason, verdict in {tuple(row) for row in rows[["stage", "reason", "verdict"]].tolist()}:
        chosen = (rows["stage"] == stage) & (rows["reason"] == reason) & (rows["verdict"] == verdict)
        assert engine.counters.outcomes[stage, reason, verdict].tolist() == [chosen.sum(), rows["length"][chosen].sum()]
    assert engine.counters.outcomes[..., 0].sum() == engine.counters.ct_states[:, 0].sum() == 4
    assert engine.counters.stateless[0].tolist() == [1, len(flow(1))]
    assert (engine.counters.first, engine.counters.last, engine.counters.backwards) == (START, START + 9, 2)


def test_ended_flows_are_counted_by_protocol_state_and_reply():
    engine = engine_of()
    found = run(engine, [batch_of([QUERY, flow(2)], START)])
    assert sum(engine.counters.flows.values()) == len(found.flows) == 2
    (kind,) = [kind for kind in engine.counters.flows if kind.proto == UDP]
    assert isinstance(kind, FlowKind)
    assert not kind.replied
    engine.counters.add_ended(np.zeros(0, found.flows.dtype))
    assert sum(engine.counters.flows.values()) == 2


def test_dropped_talkers_come_most_first_and_never_those_that_passed():
    engine = engine_of()
    run(engine, [batch_of([flow(1 << 8, flags=3)] * 3 + [flow(2 << 8, flags=3)] * 5 + [QUERY], START)])
    talkers = engine.counters.dropped_talkers(10)
    assert [(each.address, each.packets) for each in talkers] == [("10.20.0.2", 5), ("10.20.0.1", 3)]
    assert len(engine.counters.dropped_talkers(1)) == 1
