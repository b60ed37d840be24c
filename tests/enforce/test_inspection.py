"""Running inspectors against the real kernel: decisions, bypass, death, slowness, another policy.

One host talks to itself in a namespace; the ruleset is a hand-written one of the renderer's meaning.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import time

import pytest

from tests.enforce.inspecting import DROPPED, PASSED, QUEUE, REFUSED, queue_rule, ruleset
from tests.enforce.watched import sender, watched
from tests.live.namespace import namespace
from twinwall.enforce.inspection import Inspection, settings_of
from twinwall.enforce.inspector import Opinion, decided
from twinwall.enforce.rulebook import NO_RULES, FixedRules, RuleBook
from twinwall.enforce.source import Kind, Source
from twinwall.live import queue_rule as live
from twinwall.live.conntrack import ConnectionTable
from twinwall.live.nfqueue import Answer, PacketQueue, queues
from twinwall.policy.model import Attach, InspectionFailure, Mode
from twinwall.render.marks import CT_DROP, CT_PASS, RuleAction

PATIENCE = 20  # seconds after which a test has failed

RULES = f"pass udp any any -> any {PASSED} (inspect; sid:100;)\ndrop udp any any -> any {DROPPED} (inspect; sid:101;)\n"


def book(failure="drop", last=QUEUE):
    rules = Source(Kind.RULES, (("r.rules", RULES),)).policy().stateful.rules
    return RuleBook(rules, Attach(Mode.HOST, queues=(QUEUE, last), on_inspection_failure=InspectionFailure(failure)))


class Changing:
    """Rules that a test exchanges."""

    def __init__(self, first):
        self.book = first

    def refresh(self):
        return False

    def rule(self, number, generation=0):
        return self.book.rule(number)


@contextlib.contextmanager
def inspecting(rules, **options):
    """An inspection that has its processes at the queues, in the current namespace."""
    said = []
    inspection = Inspection(rules, said.append, **options)
    inspection.said = said
    try:
        inspection.step()
        until(lambda: len(queues()) == len(inspection.processes))
        yield inspection
    finally:
        inspection.run(stop=lambda: True)


def until(holds):
    """Wait for what another process is about to do."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.005)


@pytest.fixture(params=["drop", "pass"])
def failure(request):
    return request.param


@contextlib.contextmanager
def host(failure="drop"):
    with namespace() as made, made.entered():
        if not live.target_works():
            pytest.skip("this kernel has no NFQUEUE target (nft_compat, xt_NFQUEUE)")
        made.run("nft", "-f", "-", text=ruleset(failure))
        live.install(queue_rule(failure))
        yield made


@contextlib.contextmanager
def receiving(port):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", port))
        sender.connect(("127.0.0.1", port))
        yield sender, receiver


def arrives(receiver, seconds=5):
    return bool(select.select([receiver], [], [], seconds)[0]) and receiver.recv(100)


def counted(space, name):
    return int(re.search(r"packets (\d+)", space.run("nft", "list", "counter", "inet", "twinwall", name))[1])


pytestmark = pytest.mark.kernel


def test_a_passed_flow_is_decided_once_and_then_bypasses_the_queue():
    with host() as space, inspecting(FixedRules(book())), receiving(PASSED) as (sender, receiver):
        sender.send(b"one")
        assert arrives(receiver) == b"one"
        for text in (b"two", b"three"):
            sender.send(text)
            assert arrives(receiver) == text
        assert counted(space, "bypassed") == 2
        assert live.describe()[0].packets == 1
        with ConnectionTable() as table:
            (entry,) = table.entries()
        assert entry.mark & 0xFFFFF == 1


def test_a_dropped_flow_and_an_undecided_packet_do_not_arrive():
    with (
        host() as space,
        inspecting(FixedRules(book())),
        receiving(DROPPED) as (one, first),
        receiving(REFUSED) as (two, second),
    ):
        one.send(b"x")
        two.send(b"x")
        until(lambda: counted(space, "dropped") == counted(space, "undecided") == 1)
        assert not arrives(first, 0)
        assert not arrives(second, 0)


def test_without_an_opinion_a_packet_passes_where_the_policy_says_so():
    with host("pass") as space, inspecting(FixedRules(book("pass"))), receiving(REFUSED) as (sender, receiver):
        sender.send(b"x")
        assert arrives(receiver) == b"x"
        assert counted(space, "undecided") == 1


def test_a_killed_inspector_fails_as_the_policy_says_and_another_one_takes_over(failure):
    rules = FixedRules(book(failure))
    with host(failure) as space, inspecting(rules) as inspection, receiving(PASSED) as (sender, receiver):
        (victim,) = inspection.processes
        os.kill(victim, signal.SIGKILL)
        until(lambda: not queues())
        sender.send(b"while dead")
        assert arrives(receiver, 0) == (b"while dead" if failure == "pass" else False)
        until(lambda: inspection.step() or queues())  # notices, and starts another one at once
        assert inspection.processes != (victim,)
        assert any("its process ended (SIGKILL)" in line for line in inspection.said)
        before = live.describe()[0].packets
        with receiving(REFUSED) as (other, _):
            other.send(b"again")
            until(lambda: counted(space, "undecided") >= 1)
        assert live.describe()[0].packets == before + 1


def test_a_stopped_inspector_fills_its_queue_and_what_has_no_room_fails_as_the_policy_says(failure):
    with host(failure), inspecting(FixedRules(book(failure)), longest=4) as inspection, receiving(PASSED) as (sender, receiver):
        (slow,) = inspection.processes
        os.kill(slow, signal.SIGSTOP)
        for number in range(7):
            sender.send(str(number).encode())
        passed = [arrives(receiver, 0) for _ in range(3)]
        assert passed == ([b"4", b"5", b"6"] if failure == "pass" else [False] * 3)
        if failure == "drop":
            inspection.step()
            assert f"queue {QUEUE}: no room for 3 packets; the inspector does not keep up" in inspection.said
        os.kill(slow, signal.SIGCONT)
        assert [arrives(receiver) for _ in range(4)] == [b"0", b"1", b"2", b"3"]


def test_another_policy_gets_its_own_queues():
    rules = Changing(NO_RULES)
    with host(), inspecting(rules) as inspection:
        assert inspection.said == ["no policy is in force here; waiting for one"]
        rules.book = book(last=QUEUE + 1)
        inspection.step()
        until(lambda: [fill.number for fill in queues()] == [QUEUE, QUEUE + 1])
        rules.book = book("pass")
        inspection.step()
        until(lambda: [fill.number for fill in queues()] == [QUEUE])
        assert inspection.said[-1] == f"inspecting queue {QUEUE}; on failure: pass"
        rules.book = NO_RULES
        inspection.step()
        assert queues() == []


def test_a_queue_that_another_program_holds_is_told_and_tried_again():
    now = [0.0]
    with host(), inspecting(FixedRules(book())):
        said = []
        second = Inspection(FixedRules(book()), said.append, clock=lambda: now[0])
        second.step()
        until(lambda: second.step() or any("exit code 1" in line for line in said))
        second.run(stop=lambda: True)


def test_a_queue_for_each_number_with_the_policys_failure_mode():
    settings = settings_of(Attach(queues=(3, 5), on_inspection_failure=InspectionFailure.PASS))
    assert [(each.number, each.fail_open) for each in settings] == [(3, True), (4, True), (5, True)]
    assert not settings_of(Attach())[0].fail_open


WHOLE_FLOWS = """
twinwall: 1
stateful:
  order: strict
  rules: |
    {others}
    pass ip 10.9.0.2 any -> any any (inspect; sid:100;)
attach: {{mode: host, outside: [fw0], queues: 5}}
"""
ASKED_ONCE = "drop ip 192.0.2.0/24 any -> any any (sid:99;)"  # for each direction of a flow, which is noted on the connection


@pytest.fixture(params=["", ASKED_ONCE], ids=["alone", "beside a rule that is asked once"])
def asking(request, tmp_path, monkeypatch):
    """What waits in the queue of a host whose rule hands over whole flows, and a function that sends it a packet of one."""
    with watched(tmp_path, monkeypatch, "--stateless", "nft", policy=WHOLE_FLOWS.format(others=request.param)) as there:
        if not live.target_works():
            pytest.skip("this kernel has no NFQUEUE target (nft_compat, xt_NFQUEUE)")
        with PacketQueue(QUEUE, fail_open=False) as queue, sender(there) as send:
            yield queue, lambda text: send(9000, text)


def waiting(queue):
    """The texts of the packets that wait, and the packets."""
    found = queue.receive(PATIENCE)
    return [packet.packet[28:] for packet in found], found


def say(queue, packets, action, *, flow=True):
    queue.answer([Answer(each.number, decided(each.mark, Opinion(action, flow))) for each in packets])


def udp_marks():
    with ConnectionTable() as table:
        return [(entry, entry.mark) for entry in table.entries() if entry.seen.protocol == 17]


def test_packets_of_a_flow_that_is_not_decided_yet_all_wait_for_the_inspector(asking):
    """Nothing may pass by the inspector because he is still thinking about the packet before it."""
    queue, send = asking
    for text in (b"one", b"two"):
        send(text)
        assert waiting(queue)[0] == [text]


def test_a_verdict_that_another_processor_overwrote_is_asked_for_again(asking):
    """What it writes back is the connection's mark as it was before the verdict."""
    queue, send = asking
    send(b"one")
    say(queue, waiting(queue)[1], RuleAction.PASS, flow=False)
    until(udp_marks)
    ((entry, before),) = udp_marks()
    assert not before & (CT_PASS | CT_DROP)
    send(b"two")
    say(queue, waiting(queue)[1], RuleAction.PASS)
    until(lambda: udp_marks()[0][1] & CT_PASS)
    send(b"three")
    until(lambda: udp_marks()[0][0].original_counters.packets == 3)
    assert queue.receive(0) == [], "the verdict holds"
    with ConnectionTable() as table:
        table.set_mark(entry, before, 0xFFFFFFFF)
    send(b"four")
    assert waiting(queue)[0] == [b"four"]
