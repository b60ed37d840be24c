"""Timeouts: the kernel's are shortened to a second and waited for on its own lists, replay's clock is set forward."""

from __future__ import annotations

import pytest

from tests.conntrack.segments import End, Pair, ip
from tests.fidelity.compare import compare
from tests.fidelity.enforced import WAYS, in_force, read_policy
from tests.fidelity.gateway import GROUP, Gateway, ethernet
from tests.fidelity.headers import cut_in_pieces, fix_checksums, number, piece_of
from tests.fidelity.policies import TIMEOUTS
from tests.fidelity.replayed import replay_trial
from tests.fidelity.traffic import Sent, link_of
from tests.fidelity.witness import story
from tests.oracle.kernel import why_unavailable

pytestmark = pytest.mark.kernel

SECOND = 1_000_000_000
SHORT = ", ".join(f"{name}: 1s" for name in (*TIMEOUTS, "fragment_v4"))
POLICY = f"""
twinwall: 1
attach: {{mode: gateway, inside: [in0], outside: [out0], log_group: {GROUP}}}
timeouts: {{{SHORT}}}
stateful:
  order: strict
  default: [drop_strict]
  midstream: drop
  rules: |
    pass ip 10.0.0.0/16 any -> any any (sid:1;)
"""
CLIENT, SERVER = "10.0.0.1", "198.51.100.7"
MOST_POLLS = 100_000  # beyond, the kernel does not forget at all


def pair(port: int) -> Pair:
    return Pair(End(CLIENT, port), End(SERVER, 443))


def handshake(of: Pair) -> list[bytes]:
    return [of.tcp("S", 100), of.swapped().tcp("SA", 500, 101), of.tcp("A", 101, 501), of.tcp("A", 101, 501, 10)]


# Before the pause, and after it: the answer is NEW, INVALID or without an entry again, whatever was passed before.
CONVERSATIONS = {
    "udp": ([pair(1).udp()], [pair(1).swapped().udp()]),
    "udp answered": ([pair(2).udp(), pair(2).swapped().udp(), pair(2).udp()], [pair(2).swapped().udp(), pair(2).udp()]),
    "syn": ([pair(3).tcp("S", 1)], [pair(3).swapped().tcp("SA", 9, 2)]),
    "syn answered": ([pair(4).tcp("S", 1), pair(4).swapped().tcp("SA", 9, 2)], [pair(4).tcp("A", 2, 10)]),
    "established": (handshake(pair(5)), [pair(5).swapped().tcp("A", 501, 111, 5), pair(5).tcp("A", 111, 501, 5)]),
    "closing": (
        [*handshake(pair(6)), pair(6).tcp("FA", 111, 501), pair(6).swapped().tcp("FA", 501, 112), pair(6).tcp("A", 112, 502)],
        [pair(6).tcp("A", 112, 502)],
    ),
    "reset": ([*handshake(pair(7)), pair(7).tcp("R", 111)], [pair(7).swapped().tcp("A", 501, 111)]),
    "ping": ([pair(8).icmp(8, 0, 7)], [pair(8).swapped().icmp(0, 0, 7)]),
    "sctp": ([pair(9).sctp(0, b"\x01\0\0\x14\0\0\0\x05" + bytes(12))], [pair(9).swapped().sctp(5, b"\x02\0\0\x04")]),
    "other": ([ip(CLIENT, SERVER, 253, b"abcd")], [ip(SERVER, CLIENT, 253, b"abcd")]),
    "gre": ([ip(CLIENT, SERVER, 47, b"\0\0\x08\0" + bytes(20))], [ip(SERVER, CLIENT, 47, b"\0\0\x08\0" + bytes(20))]),
}


def numbered(packets: list[bytes], start: int) -> list[Sent]:
    return [Sent(link_of(each), number(fix_checksums(each), start + at), start + at) for at, each in enumerate(packets)]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.lower())
def test_what_the_kernel_has_forgotten_replay_has_forgotten(way):
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    before = numbered([packet for packets, _ in CONVERSATIONS.values() for packet in packets], 1)
    after = numbered([packet for _, packets in CONVERSATIONS.values() for packet in packets], 500)
    policy = read_policy(POLICY)
    times = [*range(len(before)), *range(3 * SECOND, 3 * SECOND + len(after))]
    replayed = replay_trial(policy, [*before, *after], times=times)
    with Gateway() as gateway, in_force(gateway, policy, way):
        messages, frames = gateway.send([(each.link, ethernet(each.link, each.packet)) for each in before])
        for _ in range(MOST_POLLS):
            if not gateway.router.run("conntrack", "-L"):
                break
        more, later = gateway.send([(each.link, ethernet(each.link, each.packet)) for each in after])
    seen = story([*messages, *more], {link: [*frames[link], *later[link]] for link in frames})
    assert compare([*before, *after], replayed, seen) == []
    forgotten = replayed.answers[len(before) :]
    assert {answer.label for answer in forgotten} <= {"new original", "invalid"}


def test_a_datagram_whose_pieces_come_too_late_is_given_up():
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    whole = number(fix_checksums(pair(1).udp(64)), 1)
    first, second = (Sent("in0", each, 1) for each in pieces(whole))
    policy = read_policy(POLICY)
    replayed = replay_trial(policy, [first, second], times=[0, 3 * SECOND])
    with Gateway() as gateway, in_force(gateway, policy, WAYS[0]):
        gateway.send([("in0", ethernet("in0", first.packet))])
        for _ in range(MOST_POLLS):
            names, values = (line.split() for line in gateway.router.run("cat", "/proc/net/snmp").splitlines()[:2])
            if int(dict(zip(names, values, strict=True))["ReasmTimeout"].strip() or 0):
                break
        messages, frames = gateway.send([("in0", ethernet("in0", second.packet))])
    assert compare([first, second], replayed, story(messages, frames)) == []
    assert {answer.reason for answer in replayed.answers} == {"fragment_incomplete"}


def pieces(packet: bytes) -> list[bytes]:
    """The packet in two pieces."""
    from random import Random

    for seed in range(100):
        found = cut_in_pieces(Random(seed), packet, 1)
        if len(found) == 2 and piece_of(found[0]) == 0x2000 + 0 and not piece_of(found[1]) & 0x2000:
            return found
    raise AssertionError("no seed gives two pieces in order")
