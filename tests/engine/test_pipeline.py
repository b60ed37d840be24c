from __future__ import annotations

import pytest

from tests.engine.runs import POLICY, START, batch_of, engine_of, policy_of, run
from tests.engine.test_engine import LAST_PIECE, PIECE, QUERY
from tests.engine.world import World, stateful
from tests.packets import ethernet, icmp, ipv4, tcp
from twinwall.conntrack.entry import END_DROPPED, END_SHUTDOWN
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


def verdicts(world, *packets):
    return [Verdict(int(world.say(each).decision["verdict"])) for each in packets]


def test_a_stateful_rule_knows_the_interface_and_the_flow_is_decided_by_where_it_began():
    world = World(stateful("pass udp any any -> any any (interface:lan0; sid:1;)\ndrop ip any any -> any any (sid:2;)"))
    query, answer = "udp 10.0.0.5:4000 > 198.51.100.7:53", "udp 198.51.100.7:53 > 10.0.0.5:4000"
    other = "udp 10.0.0.5:4001 > 198.51.100.7:53"
    assert verdicts(world, f"{query} iface lan0", f"{answer} iface wan0") == [Verdict.PASS, Verdict.PASS]
    assert verdicts(world, f"{other} iface wan0", other) == [Verdict.DROP, Verdict.DROP]


def test_an_inspected_rule_decides_its_flow_by_the_header_alone():
    world = World(
        stateful("drop tcp any any -> any 80 (flags:A; inspect; sid:1;)\npass tcp any any -> any any (flags:S; sid:2;)")
    )
    assert verdicts(world, "tcp 10.0.0.5:4000 > 198.51.100.7:80 S", "< SA", "> A") == [Verdict.PASS, Verdict.PASS, Verdict.DROP]
    last = world.say("> A")
    assert (last.decision["reason"], last.after["rule"]) == (Reason.FLOW_DROP, 0)


LINUX = "tracking: {flows: linux}"


def test_where_flows_are_linux_s_a_dropped_flow_is_judged_anew():
    """By the rules' flows the answer belongs to the dropped query; Linux never had that."""
    rules = "drop udp any any -> any 53 (sid:1;)\npass udp any 53 -> any any (sid:2;)"
    query, answer = "udp 10.0.0.5:4000 > 198.51.100.7:53", "udp 198.51.100.7:53 > 10.0.0.5:4000"
    assert verdicts(World(stateful(rules)), query, answer) == [Verdict.DROP, Verdict.DROP]
    assert verdicts(World(stateful(rules, LINUX)), query, answer) == [Verdict.DROP, Verdict.PASS]


def test_where_flows_are_linux_s_an_invalid_packet_is_not_covered_by_its_flow_s_verdict():
    rules = "pass tcp any any -> any 80 (sid:1;)\ndrop tcp any 80 -> any any (sid:2;)"
    text = stateful(rules).replace("order: strict", "order: strict\n  invalid: continue")
    packets = ("tcp 10.0.0.5:4000 > 198.51.100.7:80 S", "< SA", "> A", "< A seq 90000000")
    assert verdicts(World(text), *packets)[-1] == Verdict.PASS
    assert verdicts(World(f"{LINUX}\n{text}"), *packets)[-1] == Verdict.DROP


def test_a_policy_that_is_attached_has_linux_s_flows_unless_it_says_otherwise():
    attached = "attach: {inside: lan0}\n"
    for text, count in (("", 1), (attached, 0), (attached + "tracking: {flows: rules}\n", 1), (LINUX + "\n", 0)):
        world = World(f"{text}stateful: {{order: strict, default: [drop_strict]}}\n")
        world.say("udp 10.0.0.5:4000 > 198.51.100.7:53")
        assert world.engine.connections.count == count


@pytest.mark.parametrize("native", [True, False])
def test_flows_of_linux_are_counted_and_handed_out(native):
    policy = policy_of(POLICY + LINUX)
    frames = [packet(2, dport=22, sport=sport) for sport in (5, 5, 6)] + [packet(2)]
    outcome = run(engine_of(policy, native=native), [batch_of(frames, START)])
    assert outcome.flows["end_reason"].tolist() == [END_DROPPED] * 3 + [END_SHUTDOWN]
    assert len(set(outcome.decisions["flow_id"].tolist())) == 4
