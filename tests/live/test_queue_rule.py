"""The table that hands packets to the inspector, in a namespace of the test's own."""

from __future__ import annotations

import select
import socket

import pytest

from tests.live.namespace import namespace
from twinwall.live import queue_rule
from twinwall.live.nfqueue import ACCEPT, Answer, PacketQueue
from twinwall.live.queue_rule import QueueRule, describe, install, queue_rules, remove
from twinwall.policy.model import Attach, InspectionFailure, Mode
from twinwall.render.marks import ACTION_SHIFT, RuleAction

kernel = pytest.mark.kernel

INSPECTED = RuleAction.INSPECT << ACTION_SHIFT | 5
MARKING = f"""
table inet t {{
  chain c {{ type filter hook output priority 0;
    udp dport 9000 meta mark set {INSPECTED:#x}
    udp dport 9001 meta mark set {RuleAction.PASS << ACTION_SHIFT | 5:#x}
  }}
}}
"""


@pytest.fixture
def space():
    with namespace() as made, made.entered():
        if not queue_rule.target_works():
            pytest.skip("this kernel has no NFQUEUE target (nft_compat, xt_NFQUEUE)")
        yield made


@pytest.mark.parametrize(
    ("mode", "hooks"), [(Mode.GATEWAY, ["forward"]), (Mode.BRIDGE, ["forward"]), (Mode.HOST, ["input", "output"])]
)
def test_a_policy_asks_for_rules_at_the_hooks_of_its_mode(mode, hooks):
    rules = queue_rules(Attach(mode, queues=(10, 13), on_inspection_failure=InspectionFailure.PASS))
    assert [rule.hook for rule in rules] == hooks
    assert {(rule.first, rule.last, rule.bypass) for rule in rules} == {(10, 13, True)}
    assert not queue_rules(Attach(mode))[0].bypass


@kernel
def test_what_is_installed_is_described_and_removed(space):
    assert describe() == ()
    rules = (QueueRule("input", 5, 8, bypass=False), QueueRule("output", 5, 8, bypass=True))
    install(rules)
    assert describe() == rules
    install(rules[:1])
    assert describe() == rules[:1]
    remove()
    remove()
    assert describe() == ()
    assert space.run("nft", "list", "tables") == ""


@kernel
def test_a_change_of_the_table_shows_and_its_counters_do_not(space):
    assert queue_rule.still() == ""
    install(queue_rules(Attach(Mode.HOST)))
    before = queue_rule.still()
    space.run("nft", "-f", "-", text=MARKING)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", 9000))
    assert sum(rule.packets for rule in describe()) > 0
    assert queue_rule.still() == before
    space.run("nft", "insert", "rule", "inet", "twinwall_queue", "input", "accept")
    assert queue_rule.still() != before
    install(queue_rules(Attach(Mode.HOST)))
    assert queue_rule.still() == before


@kernel
def test_other_tables_are_left_alone(space):
    space.run("nft", "-f", "-", text=MARKING)
    before = space.run("nft", "-s", "list", "table", "inet", "t")
    install((QueueRule("output", 5, 5, bypass=False),))
    remove()
    assert space.run("nft", "-s", "list", "ruleset") == before


@kernel
def test_marked_packets_go_to_the_queue_and_others_do_not(space):
    space.run("nft", "-f", "-", text=MARKING)
    install((QueueRule("output", 5, 5, bypass=False),))
    with PacketQueue(5, fail_open=False) as queue, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        receivers = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(2)]
        for number, receiver in enumerate(receivers):
            receiver.bind(("::1", 9000 + number))
            sender.sendto(b"hello", ("::1", 9000 + number))
        (packet,) = queue.receive(timeout=5)
        assert packet.mark == INSPECTED
        assert select.select(receivers, [], [], 5)[0] == receivers[1:]
        queue.answer([Answer(packet.number, 0, ACCEPT)])
        assert select.select(receivers[:1], [], [], 5)[0] == receivers[:1]
        for receiver in receivers:
            receiver.close()
    (rule,) = describe()
    assert (rule.packets, rule.bytes) == (1, 53)


@kernel
@pytest.mark.parametrize("bypass", [True, False])
def test_without_a_receiver_packets_pass_only_where_asked_for(space, bypass):
    space.run("nft", "-f", "-", text=MARKING)
    install((QueueRule("output", 5, 5, bypass=bypass),))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 9000))
        sender.sendto(b"hello", ("127.0.0.1", 9000))
        assert bool(select.select([receiver], [], [], 0)[0]) is bypass
