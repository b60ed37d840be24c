"""Stories from steps, without a kernel: how they begin and end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.enforce.steps import FLOW, Known, arrival, step, texts, told
from twinwall.enforce.trace_story import narrate
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip
from twinwall.live.connection import ConntrackEntry, Status
from twinwall.live.nftrace import Code
from twinwall.render.marks import CT_GENERATION_SHIFT, CT_PASS


def test_a_decided_flow_names_the_rule_on_its_connection():
    mark = 1 << CT_GENERATION_SHIFT | CT_PASS | 2
    entry = ConntrackEntry(FLOW, FLOW.reversed(), Status.SEEN_REPLY, state="ESTABLISHED", timeout=9, mark=mark)
    story = told(step("flow_pass", Code.ACCEPT), entry=entry)
    assert story.rule.sid == 100
    assert texts(story)[-2:] == ["ESTABLISHED; 9 s left", 'its further packets: pass, by rule 100 "web"']


def test_a_packet_that_nobody_judged_is_said_to_be():
    assert told().verdict == "unjudged"


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        ("tcp 10.0.0.5:1 > 10.0.0.7:22 S", "a TCP reset to"),
        ("udp 10.0.0.5:1 > 10.0.0.7:22", "an ICMP destination unreachable"),
        ("udp [2001:db8::5]:1 > [2001:db8::7]:22", "an ICMPv6 destination unreachable"),
        ("icmpv6 2001:db8::5 > 2001:db8::7 echo-request", "nothing"),
    ],
)
def test_a_reject_says_what_it_sends(packet, answer):
    first = replace(arrival(), packet=encode_ip(Conversation().say(packet)))
    (sent,) = [line.text for line in narrate([first, step("reject_rule")], Known(), str).lines if line.section == "sends"]
    assert sent.startswith(answer)
