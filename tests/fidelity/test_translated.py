"""Address translation: that random policies with it are enforced as replay says, and that the far end does translate."""

from __future__ import annotations

import pytest

from tests.conntrack import segments
from tests.conntrack.segments import Pair
from tests.fidelity import translated
from tests.fidelity.enforced import WAYS
from tests.fidelity.gateway import GROUP
from tests.fidelity.headers import fix_checksums, number
from tests.fidelity.places import End, place_of, rewritten, with_end
from tests.fidelity.traffic import Sent, link_of
from tests.fidelity.translated import FORWARDS, MORE4, OPENED_ANEW, OWN4, TranslatedTrial, as_inside, translated_trial
from tests.oracle.kernel import why_unavailable

kernel = pytest.mark.kernel
SEEDS = range(3000, 3006)
PACKETS = 400
POLICY = f"""
twinwall: 1
attach: {{mode: gateway, inside: [in0], outside: [out0], log_group: {GROUP}}}
nat:
  source:
    - {{interface: out0, address: {MORE4}}}
  forward:
{FORWARDS[0]}stateful:
  order: strict
  default: [drop_strict]
  midstream: drop
  rules: |
    pass ip 10.0.0.0/16 any -> any any (sid:1;)
    pass tcp 198.51.100.7 any -> 10.0.0.5 443 (flow:to_server; sid:2;)
    pass tcp 10.0.0.5 443 -> 198.51.100.7 any (flow:established; sid:3;)
"""
INSIDE = Pair(segments.End("10.0.0.1", 1024), segments.End("203.0.113.99", 443))
NEIGHBOUR = Pair(segments.End("10.0.0.2", 1024), segments.End("203.0.113.99", 443))  # gets another port: that one is taken
CALLER = Pair(segments.End("198.51.100.7", 40000), segments.End("10.0.0.5", 443))


def numbered(packets: list[bytes]) -> list[Sent]:
    return [Sent(link_of(each), number(fix_checksums(each), at), at) for at, each in enumerate(packets, 1)]


def opening(pair: Pair) -> list[bytes]:
    return [pair.tcp("S", 100), pair.swapped().tcp("SA", 500, 101), pair.tcp("A", 101, 501)]


@pytest.fixture
def _needs_the_kernel():
    if why_unavailable():
        pytest.skip(why_unavailable())


@kernel
@pytest.mark.usefixtures("_needs_the_kernel")
@pytest.mark.parametrize("seed", SEEDS)
def test_random_policy_and_traffic(seed: int):
    trial, _ = translated_trial(seed, PACKETS)
    outcome = trial.run()
    assert len(trial.sent) > PACKETS / 2
    assert outcome.excused[OPENED_ANEW] < len(trial.sent) / 10
    assert not outcome.differences, f"{outcome.differences}\n{trial.text}\n{trial.change}"


@kernel
@pytest.mark.usefixtures("_needs_the_kernel")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.lower())
def test_what_is_on_the_wire_has_the_gateway_s_addresses(way, monkeypatch):
    wires = []
    put = translated.TranslatingGateway.put
    monkeypatch.setattr(
        translated.TranslatingGateway, "put", lambda self, link, frame: (wires.append(frame[14:]), put(self, link, frame))[1]
    )
    sent = numbered([*opening(INSIDE), *opening(NEIGHBOUR), *opening(CALLER)])
    trial = TranslatedTrial(POLICY, sent, way)
    assert [answer.verdict for answer in trial.halves()[0].replayed.answers] == ["pass"] * len(sent)
    assert trial.run().differences == []
    own, more = (End(segments.ip_address(each).packed, 0).address for each in (OWN4, MORE4))
    assert [wires[at][16:20] for at in (1, 4)] == [more, more]
    assert [wires[at][22:24] != sent[at].packet[22:24] for at in (1, 4)] == [False, True]
    assert [(wires[at][16:20], int.from_bytes(wires[at][22:24])) for at in (6, 8)] == [(own, 8443)] * 2


@kernel
@pytest.mark.usefixtures("_needs_the_kernel")
def test_a_kernel_that_forwards_elsewhere_is_found_out(monkeypatch):
    sent = numbered(opening(CALLER))
    there = TranslatedTrial(POLICY.replace("10.0.0.5:443", "10.0.0.2:443"), sent, WAYS[0])
    here = translated.forwards_of(TranslatedTrial(POLICY, sent, WAYS[0]).halves()[0].policy)
    monkeypatch.setattr(translated, "forwards_of", lambda policy: here)
    assert there.run().differences


def test_a_quoted_packet_cut_short_has_the_checksum_of_the_packet_that_it_is_of():
    packet, other = fix_checksums(INSIDE.tcp("S", 100, size=40)), End(bytes([192, 0, 2, 77]), 777)
    assert rewritten(packet[:40], other)[20:] == with_end(packet, other, source=True)[20:40]
    assert rewritten(packet[:28], other)[20:] == with_end(packet, other, source=True)[20:28]


def test_what_came_out_is_what_was_sent():
    packet = fix_checksums(INSIDE.udp(20))
    place = place_of(packet)
    assert place is not None
    assert place.leaves
    there = with_end(packet, End(bytes([192, 0, 2, 77]), 7), source=True)
    assert as_inside(there, packet, place) == packet


def test_packets_between_two_ends_outside_have_no_place():
    assert place_of(fix_checksums(Pair(INSIDE.server, CALLER.client).udp())) is None
    assert place_of(fix_checksums(INSIDE.udp())) is not None
