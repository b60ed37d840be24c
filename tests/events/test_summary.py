from __future__ import annotations

import json

import numpy as np

from tests.events.batches import START, rule
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.engine import desk as d
from twinwall.engine.batch import RuleBook
from twinwall.engine.counters import Counters, FlowKind, empty_desk
from twinwall.events.summary import Summary, summarise
from twinwall.path.reason import CtState, Reason, Verdict

RULES = RuleBook((rule(1, message="bogons"),), (rule(3), rule(4, message="never")))


def counters_of(rules: RuleBook) -> Counters:
    return Counters(empty_desk(len(rules.stateless), len(rules.stateful)), rules)


def example() -> Summary:
    desk = empty_desk(1, 2)
    counters = Counters(desk, RULES)
    counts = desk[d.COUNTS : d.COUNTS + d.COUNT_WORDS].reshape(d.COUNT_SHAPE)
    counts[0, Reason.STATELESS_RULE, Verdict.DROP, CtState.NONE] = 2, 160
    counts[0, Reason.TRUNCATED_IP, Verdict.DROP, CtState.NONE] = 1, 60
    counts[1, Reason.RULE, Verdict.REJECT, CtState.NEW] = 1, 60
    counts[1, Reason.NO_RULE, Verdict.PASS, CtState.ESTABLISHED] = 1, 60
    counters.stateless[0] = 2, 160
    counters.stateful[0] = 1, 60
    talkers = desk[int(desk[d.D_TALKERS]) :].reshape(-1, d.TALKER_WORDS)
    talkers[9, :5] = 0, 0x0A000005, 4, 2, 160
    talkers[70, :5] = 0, 1, 4, 1, 60
    desk[d.D_EARLIEST], desk[d.D_CLOCK] = START, START + 3_000_000_000
    counters.flows = {
        FlowKind(6, TcpState.TIME_WAIT, True): 1,
        FlowKind(6, TcpState.SYN_SENT, False): 1,
        FlowKind(17, 0, True): 1,
        FlowKind(17, 0, False): 2,
    }
    return summarise(counters, RULES, elapsed=0.5)


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
    assert data["ct_states"] == {"NEW": 1, "ESTABLISHED": 1, "RELATED": 0, "INVALID": 0, "UNTRACKED": 0}
    assert data["flows"] == {
        "tcp": {"new": 1, "established": 0, "closed": 1},
        "udp": {"new": 2, "established": 1, "closed": 0},
    }


def test_a_run_without_packets():
    summary = summarise(counters_of(RuleBook()), RuleBook(), elapsed=0.0)
    assert (summary.packets, summary.first, summary.covered, summary.packets_per_second) == (0, None, 0, 0)
    assert json.loads(summary.to_json())["rules"] == []


def test_only_the_top_is_listed():
    rules = RuleBook((), tuple(rule(sid) for sid in range(1, 31)))
    counters = counters_of(rules)
    counters.stateful[:, 0] = np.arange(30, 0, -1)
    listed = summarise(counters, rules, elapsed=1.0, top=4).rules
    assert [each.sid for each in listed] == [1, 2, 3, 4]
