"""What a reject answers, by the packet."""

from __future__ import annotations

import numpy as np
import pytest

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
