"""What is asked of the kernel about a traced packet: lines, maps, the XDP program, connections."""

from __future__ import annotations

import socket

import pytest

from tests.cli.running import twinwall
from tests.enforce.test_inspection import until
from tests.enforce.watched import ALONE, ELSE, HERE, OPEN, PASSED, POLICY, SHUT, THERE, sender, watched
from tests.live.kernel import ebpf_or_skip
from twinwall.enforce.rulebook import RulesInForce
from twinwall.enforce.state import State
from twinwall.enforce.trace_knowledge import KernelKnowledge
from twinwall.enforce.trace_packet import TracedPacket
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip
from twinwall.live.nft import TABLES
from twinwall.live.nft_rules import RuleFacts, rule_facts
from twinwall.live.nftrace import Kind, Step

pytestmark = pytest.mark.kernel


def datagram(port, source=5):
    return TracedPacket(encode_ip(Conversation().say(f"udp {THERE}:{source} > {HERE}:{port}")))


def known():
    return KernelKnowledge(RulesInForce(State()))


def step(table, chain, handle):
    return Step(1, Kind.RULE, table.family, table.name, chain, handle)


def test_a_packets_connection_is_found_by_its_ends(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as there, sender(there) as send, known() as knowledge:
        source = send(OPEN)
        until(lambda: knowledge.connection(datagram(OPEN, source)))
        entry = knowledge.connection(datagram(OPEN, source))
        assert (entry.verdict, knowledge.rules.rule(entry.rule_number, entry.generation).sid) == ("pass", 100)
        assert knowledge.connection(datagram(SHUT, source)) is None


def test_a_step_is_about_the_line_with_its_handle_and_a_map_names_the_rule(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"), known() as knowledge:
        lines = {(table, *handle): facts for table in TABLES for handle, facts in rule_facts(table).items()}
        assert {place: knowledge.facts(step(*place)) for place in lines} == lines
        netdev = [(place[0], facts) for place, facts in lines.items() if place[0].family == "netdev"]
        found = {
            port: {rule.sid for table, facts in netdev if (rule := knowledge.stateless_rule(datagram(port), table, facts))}
            for port in (ALONE, PASSED, ELSE)
        }
    assert found == {ALONE: {10}, PASSED: {11}, ELSE: set()}


def test_of_lines_that_are_gone_or_not_ours_nothing_is_known(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"), known() as knowledge:
        assert knowledge.facts(Step(1, Kind.RULE, "inet", "twinwall", "judge", 99999)) == RuleFacts()
        assert knowledge.facts(Step(1, Kind.RULE, "ip", "filter", "INPUT", 1)) == RuleFacts()


def test_the_policy_names_its_interfaces(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"), known() as knowledge:
        assert knowledge.attached(socket.if_nametoindex("fw0"))
        assert not knowledge.attached(socket.if_nametoindex("lo"))


def test_where_no_program_runs_the_stateless_stage_says_nothing(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"), known() as knowledge:
        assert knowledge.stateless(datagram(ALONE), socket.if_nametoindex("fw0")) == ()


def test_after_a_change_the_new_policys_program_and_rules_answer(tmp_path, monkeypatch):
    ebpf_or_skip()
    with watched(tmp_path, monkeypatch, "--stateless", "xdp"), known() as knowledge:
        inside = socket.if_nametoindex("fw0")
        (before,) = knowledge.stateless(datagram(ALONE), inside)
        other = tmp_path / "other.yaml"
        other.write_text(POLICY.replace("default: forward", "default: drop").replace(f"any {ALONE} (", f"any {ELSE} ("))
        assert twinwall("apply", other, "--yes", "--stateless", "xdp") == 0
        knowledge.refresh()
        (after,) = knowledge.stateless(datagram(ALONE), inside)
        (elsewhere,) = knowledge.stateless(datagram(ELSE), inside)
    assert (before.rule.sid, before.text) == (10, 'rule 10 "alone" is the first that matches')
    assert (after.rule, after.text) == (None, "no rule matches; the default action is drop")
    assert elsewhere.rule.sid == 10
