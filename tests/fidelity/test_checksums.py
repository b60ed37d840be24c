"""Wrong checksums: Linux's tracker calls such packets INVALID if it is told to look, replay drops them with --checksums.

The verdict is the same under `invalid: drop`, the reason is not: that is the one translation here.  A wrong checksum of the IP
header is seen by the IP layer itself, in front of everything.

Not drawn: fragments, and UDP-Lite.  Linux (6.18) reckons with UDP's protocol number in UDP-Lite's pseudo header, and
so takes every right one for wrong.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.fidelity.compare import NOT_SEEN, compare
from tests.fidelity.enforced import WAYS, in_force, read_policy
from tests.fidelity.gateway import GROUP, Gateway, ethernet
from tests.fidelity.headers import piece_of, protocol_of, version_of
from tests.fidelity.replayed import Answer, Replayed, replay_trial
from tests.fidelity.traffic import Sent, traffic
from tests.fidelity.witness import story
from tests.oracle.kernel import why_unavailable
from twinwall.path.layout import UDPLITE
from twinwall.path.reason import StageName

pytestmark = pytest.mark.kernel

PACKETS = 1500
POLICY = f"""
twinwall: 1
attach: {{mode: gateway, inside: [in0], outside: [out0], log_group: {GROUP}}}
stateful:
  order: strict
  default: [drop_established, alert_established]
  midstream: continue
  invalid: drop
  rules: |
    pass ip 10.0.0.0/24 any -> any any (sid:1;)
    reject tcp any any -> any 22 (sid:2;)
"""
INVALID = Answer("drop", "invalid", "invalid", None)


def damaged(rng: Random, sent: Sent) -> Sent:
    """Some packets with a bit of their payload changed, some with a bit of the IP header's checksum."""
    packet = bytearray(sent.packet)
    fate = rng.random()
    if fate < 0.1 and not piece_of(sent.packet):
        packet[-1] ^= 1
    elif fate < 0.13 and version_of(sent.packet) == 4:
        packet[11] ^= 1
    return sent._replace(packet=bytes(packet))


def as_linux_says(replayed: Replayed) -> Replayed:
    """Replay's answers with the tracker's word for a wrong transport checksum."""
    answers = list(replayed.answers)
    stages = replayed.decisions["stage"].copy()
    for index, answer in enumerate(answers):
        if answer.reason == "bad_transport_checksum":
            answers[index], stages[index] = INVALID, StageName.STATEFUL
        elif answer.reason == "bad_ip_checksum":
            answers[index] = NOT_SEEN
    decisions = replayed.decisions.copy()
    decisions["stage"] = stages
    return replayed._replace(answers=answers, decisions=decisions)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.lower())
def test_wrong_checksums(way):
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    rng = Random(11)
    drawn = traffic(rng, PACKETS)
    sent = [damaged(rng, each) for each in drawn if not piece_of(each.packet) and protocol_of(each.packet) != UDPLITE]
    policy = read_policy(POLICY)
    replayed = replay_trial(policy, sent, checksums=True)
    reasons = [answer.reason for answer in replayed.answers]
    assert reasons.count("bad_transport_checksum") > 50
    assert reasons.count("bad_ip_checksum") > 10
    with Gateway() as gateway, in_force(gateway, policy, way):
        gateway.set({"net.netfilter.nf_conntrack_checksum": 1})
        messages, frames = gateway.send([(each.link, ethernet(each.link, each.packet)) for each in sent])
    found = compare(sent, as_linux_says(replayed), story(messages, frames))
    assert not [each for each in found if replayed.answers[each.index].reason != "bad_udp_length"], found[:5]
