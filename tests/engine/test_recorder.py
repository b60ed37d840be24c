from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from tests.engine.packets_in_words import conversations
from tests.engine.world import START, World, stateful
from twinwall.compile.policy import compile_policy
from twinwall.engine.conversation import Conversation
from twinwall.engine.engine import Engine
from twinwall.engine.machine import NativeMachine
from twinwall.engine.recorder import OneFrame
from twinwall.engine.spoken_frame import encode
from twinwall.path.trace import TraceEvent

SYN = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"
POLICY = """
tracking: {datagrams: 2}
stateless:
  default: forward
  rules: |
    drop tcp any any -> any any (flags:SF,12; sid:10;)
    pass icmp any any <> 10.0.0.0/24 any (itype:8; sid:12;)
stateful:
  order: strict
  default: [drop_established, alert_established]
  rules: |
    alert tcp any any -> any 443 (flags:S; flowbits:set,seen; sid:1;)
    drop tcp any any -> any any (flowbits:isset,seen; ttl:<5; sid:2;)
    pass tcp 10.0.0.0/24 any -> any 443 (flow:to_server; sid:3;)
    reject tcp any any -> any 23 (sid:4;)
    drop udp any any -> any 53 (dsize:>60; sid:5;)
    pass udp any any <> any 53 (sid:6;)
"""


def test_an_account_has_what_happened_and_what_became_of_the_flow():
    world = World(POLICY)
    first = world.say(SYN)
    assert first.number == 1
    assert first.before is None
    assert first.after["flow_id"] == first.decision["flow_id"]
    assert first.flowbits == (0,)
    assert [step.event for step in first.steps][:3] == [
        TraceEvent.DECODED,
        TraceEvent.STATELESS_DEFAULT,
        TraceEvent.TCP_STEP,
    ]
    assert len(first.alerts) == 1
    second = world.say("< S.")
    assert second.number == 2
    assert second.before.item() == first.after.item()
    assert not len(second.alerts)


def test_the_datagram_that_a_piece_completes_is_told():
    world = World(POLICY)
    held = world.say("udp 10.0.0.5:40000 > 198.51.100.7:53 len 40 frag 0+")
    assert held.pending
    assert held.datagram is None
    last = world.say("> frag 48 len 40")
    assert not last.pending
    assert (int(last.datagram["dport"]), int(last.datagram["ip_length"])) == (53, 20 + 48 + 40)


def test_flows_that_end_with_a_packet():
    account = World(POLICY).say(SYN, "< S.", "> . after 20m")
    assert len(account.ended) == 1
    assert account.before is None


def test_a_recorder_takes_over_from_another_machine_on_the_same_memory():
    world = World(POLICY)
    world.say(SYN)
    world.engine.use(NATIVE)
    frame = encode(world.conversation.say("< S."))
    world.engine.feed(OneFrame.of(frame.data, frame.link, world.now))
    account = world.say("> .")
    assert account.number == 3
    assert (int(account.before["state"]), int(account.after["state"])) == (2, 3)


NATIVE = NativeMachine()


@settings(max_examples=40, deadline=None)
@given(conversations())
def test_every_explanation_ends_in_the_verdict_of_the_native_engine(texts):
    world = World(POLICY)
    native = Engine(world.policy, compile_policy(world.policy), NATIVE)
    talk, now = Conversation(), START
    told = []
    for text in texts:
        packet = talk.say(text)
        now += packet.after
        frame = encode(packet)
        native.feed(OneFrame.of(frame.data, frame.link, now, packet.interface))
        story = world.story(text)
        told.append(story.verdict)
        assert story.lines[-1].text
        assert all("{" not in line.text for line in story.lines)
    world.engine.finish()
    native.finish()
    count = len(texts)
    assert np.array_equal(world.engine.decisions[1 : count + 1], native.decisions[1 : count + 1])
    verdicts = ["pass", "drop", "reject"]
    final = [verdicts[number] for number in native.decisions["verdict"][1 : count + 1]]
    assert [say for say in told if say != "pending"] == [
        last for say, last in zip(told, final, strict=True) if say != "pending"
    ]


def test_stateful_texts_are_policies():
    assert World(stateful("drop ip any any -> any any (sid:1;)")).say(SYN).decision["verdict"] == 1
