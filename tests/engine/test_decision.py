"""What a reject answers, by the packet; and to which rule a decision is counted."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.world import World, stateful
from twinwall.engine.conversation import Conversation
from twinwall.engine.decision import RejectReply, reply_of
from twinwall.engine.spoken_frame import encode_ip
from twinwall.path.decode import decode
from twinwall.path.layout import LINK_RAW, RECORD
from twinwall.path.primitives import Pointer


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("tcp 10.0.0.1:1 > 10.0.0.2:2 S", RejectReply.TCP_RESET),
        ("tcp [2001:db8::1]:1 > [2001:db8::2]:2 S", RejectReply.TCP_RESET),
        ("udp 10.0.0.1:1 > 10.0.0.2:2", RejectReply.ICMP_PROHIBITED),
        ("icmp 10.0.0.1 > 10.0.0.2 echo-request", RejectReply.ICMP_PROHIBITED),
        ("udp [2001:db8::1]:1 > [2001:db8::2]:2", RejectReply.ICMPV6_PROHIBITED),
        ("icmpv6 2001:db8::1 > 2001:db8::2 echo-request", RejectReply.NONE),
    ],
)
def test_what_a_reject_sends(packet: str, reply: RejectReply):
    frame = encode_ip(Conversation().say(packet))
    record = np.zeros(1, RECORD)
    start, place = Pointer(frame), Pointer(record.view(np.uint8).data)
    assert decode(start, start + len(frame), LINK_RAW, len(frame), place) == 0
    assert reply_of(place) == reply


def test_a_decision_is_counted_to_its_rule_and_to_its_sender():
    rules = "drop udp any any -> any 1 (sid:1;)\ndrop udp any any -> any 2 (sid:2;)"
    world = World(stateful(rules, "stateless: {rules: 'drop udp any any -> any 3 (sid:3;)'}"))
    for port, payload in ((2, 10), (2, 20), (3, 30), (9, 40)):
        world.say(f"udp 10.0.0.{port}:5 > 10.9.9.9:{port} len {payload}")
    counters = world.engine.counters
    assert counters.stateful.tolist()[:2] == [[0, 0], [2, 2 * 28 + 30]]
    assert counters.stateless.tolist()[0] == [1, 28 + 30]
    assert [(each.address, each.packets) for each in counters.dropped_talkers(9)] == [("10.0.0.2", 2), ("10.0.0.3", 1)]
