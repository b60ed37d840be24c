"""What the running XDP program answers, and what its counters tell of dropped packets."""

from __future__ import annotations

import pytest

from tests.cli.running import twinwall
from tests.enforce.test_inspection import until
from tests.enforce.watched import ALONE, ELSE, HERE, PASSED, POLICY, THERE, sender, watched
from tests.live.kernel import ebpf_or_skip
from twinwall.enforce.rulebook import RulesInForce
from twinwall.enforce.state import State
from twinwall.enforce.trace_knowledge import KernelKnowledge
from twinwall.enforce.trace_xdp import XdpDrops, ask
from twinwall.engine.spoken_parser import parse_packet
from twinwall.live.error import EnforcementError
from twinwall.live.xdp import XdpStage

pytestmark = pytest.mark.kernel


def counters():
    with XdpStage.of("fw0") as stage:
        return stage.counters()


def test_the_running_program_is_asked_without_moving_a_counter(tmp_path, monkeypatch):
    ebpf_or_skip()
    with watched(tmp_path, monkeypatch, "--stateless", "xdp"), KernelKnowledge(RulesInForce(State())) as knowledge:
        before = counters().rules
        dropped = ask(knowledge, parse_packet(f"udp {THERE}:5 > {HERE}:{ALONE}"))
        passed = ask(knowledge, parse_packet(f"udp {THERE}:5 > {HERE}:{PASSED}"))
        other = ask(knowledge, parse_packet(f"udp {THERE}:5 > {HERE}:{ELSE}"))
        assert counters().rules == before
    assert (dropped.verdict, dropped.rule.sid, dropped.reason) == ("drop", 10, "stateless_rule")
    assert (passed.verdict, passed.rule.sid) == ("pending", 11)
    assert (other.verdict, other.rule, other.reason) == ("pending", None, "stateless_default")


def test_without_a_program_there_is_nothing_to_ask(tmp_path, monkeypatch):
    with (
        watched(tmp_path, monkeypatch, "--stateless", "nft"),
        KernelKnowledge(RulesInForce(State())) as knowledge,
        pytest.raises(EnforcementError, match="no XDP program of ours runs on fw0"),
    ):
        ask(knowledge, parse_packet(f"udp {THERE}:5 > {HERE}:{ALONE}"))


def test_rules_that_ask_for_the_interface_are_asked_with_its_name(tmp_path, monkeypatch):
    ebpf_or_skip()
    policy = POLICY.replace('(msg:"alone"', '(interface:fw0; msg:"alone"')
    with (
        watched(tmp_path, monkeypatch, "--stateless", "xdp", policy=policy),
        KernelKnowledge(RulesInForce(State())) as knowledge,
    ):
        assert ask(knowledge, parse_packet(f"udp {THERE}:5 > {HERE}:{ALONE}")).verdict == "drop"


def test_what_xdp_dropped_meanwhile_is_counted_by_rule(tmp_path, monkeypatch):
    ebpf_or_skip()
    with watched(tmp_path, monkeypatch, "--stateless", "xdp") as there, sender(there) as send:
        drops = XdpDrops(RulesInForce(State()))
        assert drops.moved() == ()
        send(ALONE)
        until(drops.moved)
        assert [(each.text, each.packets) for each in drops.moved()] == [('rule 10 "alone"', 1)]


def test_what_the_default_action_dropped_is_counted_apart_from_the_rules(tmp_path, monkeypatch):
    ebpf_or_skip()
    policy = POLICY.replace("default: forward", "default: drop")
    with (
        watched(tmp_path, monkeypatch, "--stateless", "xdp", policy=policy) as there,
        sender(there) as send,
    ):
        drops = XdpDrops(RulesInForce(State()))
        send(PASSED)
        send(ELSE)
        until(drops.moved)
        (moved,) = drops.moved()
    assert moved.text.startswith("stateless_default")
    assert moved.packets >= 1  # the neighbour's own packets, such as IPv6's, are dropped too


def test_nothing_is_told_across_a_change_of_the_policy(tmp_path, monkeypatch):
    ebpf_or_skip()
    with watched(tmp_path, monkeypatch, "--stateless", "xdp") as there, sender(there) as send:
        rules = RulesInForce(State())
        drops = XdpDrops(rules)
        send(ALONE)
        until(drops.moved)
        other = tmp_path / "other.yaml"
        other.write_text(POLICY.replace("sid:10;", "sid:12;"))
        assert twinwall("apply", other, "--yes", "--stateless", "xdp") == 0
        assert rules.refresh()
        send(ALONE)
        assert drops.moved() == ()
