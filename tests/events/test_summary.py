from __future__ import annotations

import json

from tests.events.batches import START, batch, decision, rule, tcp_record
from twinwall.conntrack.entry import ST_SEEN_REPLY
from twinwall.conntrack.tcp import TcpState
from twinwall.engine.batch import RuleBook
from twinwall.events.counters import Counters
from twinwall.events.summary import Summary, SummaryBuilder
from twinwall.path.reason import CtState, Reason

RULES = RuleBook((rule(1, message="bogons"),), (rule(3), rule(4, message="never")))


def example() -> Summary:
    first = batch(
        [
            decision(1, stage=0, rule=0, verdict=1, reason=Reason.STATELESS_RULE, length=100, timestamp=START + 5),
            decision(2, rule=0, verdict=2, reason=Reason.RULE, ct_state=CtState.NEW, timestamp=START),
        ],
        [tcp_record(), tcp_record(src_lo=1)],
        rules=RULES,
    )
    second = batch(
        [
            decision(3, reason=Reason.NO_RULE, ct_state=CtState.ESTABLISHED, timestamp=START + 3_000_000_000),
            decision(4, stage=0, verdict=1, reason=Reason.TRUNCATED_IP),
            decision(5, stage=0, rule=0, verdict=1, reason=Reason.STATELESS_RULE),
        ],
        [tcp_record(), {}, tcp_record()],
        flows=[
            {"proto": 6, "state": TcpState.TIME_WAIT},
            {"proto": 6, "state": TcpState.SYN_SENT},
            {"proto": 17, "status": ST_SEEN_REPLY},
            {"proto": 17},
            {"proto": 17},
        ],
        rules=RULES,
    )
    builder, counters = SummaryBuilder(RULES), Counters.empty(RULES)
    for each in (first, second, batch([], [], rules=RULES)):
        builder.add(each)
        counters.count(each)
    return builder.finish(counters, elapsed=0.5)


def test_the_summary_as_data():
    data = json.loads(example().to_json())
    assert (data["packets"], data["bytes"], data["packets_per_second"]) == (5, 340, 10)
    assert (data["first"], data["last"], data["covered"]) == (START, START + 3_000_000_000, 3_000_000_000)
    assert data["verdicts"] == {
        "pass": {"packets": 1, "bytes": 60},
        "drop": {"packets": 3, "bytes": 220},
        "reject": {"packets": 1, "bytes": 60},
    }
    assert data["reasons"][0] == {
        "stage": "stateless", "reason": "stateless_rule", "verdict": "drop", "packets": 2, "bytes": 160,
        "explanation": "a stateless rule decided",
    }  # fmt: skip
    assert data["malformed"] == {"truncated_ip": 1}
    assert [(each["stage"], each["sid"], each["message"], each["packets"]) for each in data["rules"]] == [
        ("stateless", 1, "bogons", 2),
        ("stateful", 3, "", 1),
    ]
    assert data["dropped_talkers"] == [
        {"address": "10.0.0.5", "packets": 2, "bytes": 160},
        {"address": "0.0.0.1", "packets": 1, "bytes": 60},
    ]
    assert data["dropped_talkers_exact"] is True
    assert data["ct_states"] == {"NEW": 1, "ESTABLISHED": 1, "RELATED": 0, "INVALID": 0, "UNTRACKED": 0}
    assert data["flows"] == {
        "tcp": {"new": 1, "established": 0, "closed": 1},
        "udp": {"new": 2, "established": 1, "closed": 0},
    }


def test_a_run_without_packets():
    summary = SummaryBuilder(RuleBook()).finish(Counters.empty(RuleBook()), elapsed=0.0)
    assert (summary.packets, summary.first, summary.covered, summary.packets_per_second) == (0, None, 0, 0)
    assert json.loads(summary.to_json())["rules"] == []


def test_only_the_top_is_listed():
    rules = RuleBook((), tuple(rule(sid) for sid in range(1, 31)))
    made = batch([decision(n, rule=n % 30) for n in range(60)], [tcp_record()] * 60, rules=rules)
    builder, counters = SummaryBuilder(rules), Counters.empty(rules)
    builder.add(made)
    counters.count(made)
    assert len(builder.finish(counters, elapsed=1.0, top=4).rules) == 4
