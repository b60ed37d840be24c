from __future__ import annotations

import pytest

from tests.engine.runs import POLICY, START, batch_of, engine_of, policy_of, run
from tests.engine.test_engine import LAST_PIECE, PIECE, QUERY
from tests.packets import ethernet, icmp, ipv4, tcp
from twinwall.engine.pipeline import CHUNK
from twinwall.path.reason import CtState, Reason, StageName, Verdict


def packet(flags, payload=b"", sport=40000, dport=443):
    return ethernet(ipv4(tcp(sport, dport, flags, payload), 6), 0x0800)


@pytest.mark.parametrize("native", [True, False])
def test_each_stage_decides_what_is_its_own(native):
    frames = [packet(3), ethernet(ipv4(icmp(13, 0), 1), 0x0800), packet(2), packet(2, dport=22), ethernet(bytes(40), 0x0806)]
    rows = run(engine_of(native=native), [batch_of(frames, START)]).decisions
    assert rows["stage"].tolist() == [StageName.STATELESS] * 2 + [StageName.STATEFUL] * 2 + [StageName.STATELESS]
    assert rows["verdict"].tolist() == [Verdict.DROP, Verdict.PASS, Verdict.PASS, Verdict.REJECT, Verdict.PASS]
    assert rows["ct_state"].tolist() == [CtState.NONE, CtState.UNTRACKED, CtState.NEW, CtState.NEW, CtState.NONE]


@pytest.mark.parametrize(("setting", "verdict"), [("drop", Verdict.DROP), ("reject", Verdict.REJECT)])
def test_a_connection_whose_start_was_not_seen(setting, verdict):
    policy = policy_of(POLICY.replace("midstream: continue", f"midstream: {setting}"))
    rows = run(engine_of(policy), [batch_of([packet(16, b"x")], START)]).decisions
    assert (rows["verdict"][0], rows["reason"][0]) == (verdict, Reason.MIDSTREAM)


def test_all_pieces_share_the_datagram_s_decision():
    rows = run(engine_of(), [batch_of([PIECE, QUERY, LAST_PIECE], START)]).decisions
    for name in ("verdict", "reason", "rule", "flow_id"):
        assert rows[name][0] == rows[name][2]


def test_packets_of_one_chunk_see_each_other_in_order():
    frames = [packet(2), *[packet(2, sport=1024 + number) for number in range(CHUNK * 2)], packet(2)]
    rows = run(engine_of(), [batch_of(frames, START)]).decisions
    assert rows["flow_id"][0] == rows["flow_id"][-1]
    assert len(set(rows["flow_id"].tolist())) == len(frames) - 1
