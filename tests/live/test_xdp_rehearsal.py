"""Asking the running XDP program about a packet, beside the running one."""

from __future__ import annotations

import pytest

from tests.live.kernel import ebpf_or_skip
from tests.live.namespace import namespace
from twinwall.compile.policy import stateless_table
from twinwall.enforce.source import Kind, Source
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip
from twinwall.live.error import EnforcementError
from twinwall.live.xdp import XdpStage
from twinwall.live.xdp_rehearsal import Rehearsal
from twinwall.path.reason import Reason

pytestmark = pytest.mark.kernel

POLICY = """
twinwall: 1
stateless:
  default: {default}
  rules: |
    drop udp any any -> any 53 (interface:v0; sid:1;)
    pass tcp any any -> any 80 (sid:2;)
attach: {{mode: gateway, inside: [v0], outside: [v1]}}
"""


@pytest.fixture(params=[1, 2])
def generation(request):
    return request.param


def rehearse(default, generation, interface, *texts):
    ebpf_or_skip()
    policy = Source(Kind.POLICY, (("p.yaml", POLICY.format(default=default)),)).policy()
    with namespace() as made, made.entered():
        made.run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        with XdpStage.load(stateless_table(policy), policy, generation) as stage:
            for name in ("v0", "v1"):
                stage.attach(name)
            with Rehearsal(interface) as rehearsal:
                packets = [text if isinstance(text, bytes) else encode_ip(Conversation().say(text)) for text in texts]
                answers = [rehearsal.ask(packet) for packet in packets]
            assert stage.counters().reasons == {}
    return answers


DNS, WEB = "udp 10.0.0.1:1 > 10.0.0.2:53", "tcp 10.0.0.1:1 > 10.0.0.2:80 S"


def test_the_rule_and_what_becomes_of_the_packet_are_told(generation):
    assert rehearse("forward", generation, "v0", DNS, WEB, "udp 10.0.0.1:1 > 10.0.0.2:54") == [
        (Reason.STATELESS_RULE, 0, True),
        (Reason.STATELESS_RULE, 1, False),
        (Reason.STATELESS_DEFAULT, None, False),
    ]


def test_a_packet_counts_as_coming_in_by_the_interface_that_was_named(generation):
    assert rehearse("drop", generation, "v1", DNS) == [(Reason.STATELESS_DEFAULT, None, True)]


def test_a_malformed_packet_has_its_reason():
    assert rehearse("forward", 1, "v0", bytes([0x45]) + bytes(10)) == [(Reason.TRUNCATED_IP, None, True)]


def test_without_a_program_of_ours_there_is_nothing_to_ask():
    with namespace() as made, made.entered(), pytest.raises(EnforcementError, match="ask the XDP program of lo: there is none"):
        Rehearsal("lo")
