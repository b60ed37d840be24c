"""A policy change in the middle of conversations: what docs/design/enforcement.md ("Changing a policy") promises.

Replay runs one policy over one capture, so the expectation is written out here: established connections are judged anew, by
whichever side speaks first, and live if the new policy passes them, or if `--keep` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.conntrack.segments import End, Pair
from tests.fidelity.enforced import WAYS, in_force, read_policy
from tests.fidelity.gateway import GROUP, Gateway, ethernet
from tests.fidelity.headers import fix_checksums, number
from tests.fidelity.traffic import Sent, link_of
from tests.fidelity.witness import name_of, story
from tests.oracle.kernel import why_unavailable
from twinwall.render.marks import next_generation
from twinwall.render.options import StatelessWay

pytestmark = pytest.mark.kernel

POLICY = """
twinwall: 1
attach: {{mode: gateway, inside: [in0], outside: [out0], log_group: {group}}}
stateful:
  order: strict
  default: [{default}]
  rules: |
    {rules}
"""
TCP = Pair(End("10.0.0.1", 40000), End("198.51.100.7", 443))
UDP = Pair(End("10.0.0.1", 40001), End("198.51.100.7", 53))
TCP_DATA = [TCP.tcp("PA", 101, 501, 10), TCP.swapped().tcp("PA", 501, 101, 10)]
CONVERSATIONS = {
    "tcp": [TCP.tcp("S", 100), TCP.swapped().tcp("SA", 500, 101), TCP.tcp("A", 101, 501)],
    "udp": [UDP.udp(), UDP.swapped().udp()],
}
SIDES = {"tcp client": TCP_DATA[0], "tcp server": TCP_DATA[1], "udp client": UDP.udp(20), "udp server": UDP.swapped().udp(20)}
PASS_INSIDE = "pass ip 10.0.0.0/16 any -> any any (sid:1;)"


@dataclass(frozen=True)
class Change:
    """From the rules of `before` to those of `after`; `lives`: the conversations that go on, whoever speaks first."""

    name: str
    after: str
    lives: str
    before: str = PASS_INSIDE
    default: str = "drop_strict"
    kept: tuple[int, ...] = ()


CHANGES = [
    Change("the same rules", PASS_INSIDE, "tcp udp"),
    Change("one protocol is no longer allowed", "pass tcp 10.0.0.0/16 any -> any 443 (sid:5;)", "tcp"),
    Change("nothing is allowed any more", "pass ip 192.0.2.0/24 any -> any any (sid:5;)", ""),
    Change("nothing is allowed any more, but what lives is kept", "pass ip 192.0.2.0/24 any -> any any (sid:5;)", "tcp udp",
           kept=(1,)),
    Change("a drop rule comes first", "drop tcp any any -> any 443 (sid:5;)\n    " + PASS_INSIDE, "udp"),
    Change("packet rules let what is established go on", "pass tcp any any <> any any (flow:established; sid:5;)", "tcp"),
    Change("without a default action the rest passes", "drop udp any any -> any 53 (sid:5;)", "tcp", default="alert_strict"),
    Change("packet rules were replaced by flow rules", PASS_INSIDE, "tcp udp",
           before="pass ip any any <> any any (flow:stateless; sid:1;)"),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name.replace(" ", "-"))
@pytest.mark.parametrize("first", ["client", "server"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.lower())
def test_established_connections_after_a_change(change: Change, first: str, way: StatelessWay):
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    before = read_policy(POLICY.format(group=GROUP, rules=change.before, default="drop_strict"))
    after = read_policy(POLICY.format(group=GROUP, rules=change.after, default=change.default))
    second = "server" if first == "client" else "client"
    with Gateway() as gateway, in_force(gateway, before, way) as enforced:
        opened = numbered([packet for packets in CONVERSATIONS.values() for packet in packets], 1)
        passed = sent_through(gateway, opened)
        assert passed == [True] * len(opened)
        enforced.change(after, way, 2, change.kept)
        names = [f"{kind} {side}" for kind in CONVERSATIONS for side in (first, second)]
        passed = sent_through(gateway, numbered([SIDES[name] for name in names], 500))
    assert dict(zip(names, passed, strict=True)) == {name: name.split()[0] in change.lives.split() for name in names}


@pytest.mark.parametrize("change", CHANGES[:3], ids=lambda change: change.name.replace(" ", "-"))
@pytest.mark.parametrize("first", ["client", "server"])
def test_connections_from_before_the_first_policy(change: Change, first: str):
    """The tracker knew them, no policy of ours did: they are judged like those of another policy."""
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    after = read_policy(POLICY.format(group=GROUP, rules=change.after, default=change.default))
    names = [f"{kind} {side}" for kind in CONVERSATIONS for side in (first, "server" if first == "client" else "client")]
    with Gateway() as gateway:
        sent_through(gateway, numbered([packet for packets in CONVERSATIONS.values() for packet in packets], 1))
        with in_force(gateway, after, StatelessWay.NFT):
            passed = sent_through(gateway, numbered([SIDES[name] for name in names], 500))
    assert dict(zip(names, passed, strict=True)) == {name: name.split()[0] in change.lives.split() for name in names}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.lower())
def test_a_connection_is_not_taken_for_one_of_the_policy_that_has_its_number_some_changes_later(way: StatelessWay):
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    allows, forbids = (
        read_policy(POLICY.format(group=GROUP, rules=rules, default="drop_strict"))
        for rules in (PASS_INSIDE, "pass ip 192.0.2.0/24 any -> any any (sid:5;)")
    )
    numbers = [2]
    while numbers.count(numbers[0]) == 1:
        numbers.append(next_generation(numbers[-1]))
    with Gateway() as gateway, in_force(gateway, allows, way, numbers[0]) as enforced:
        sent_through(gateway, numbered([packet for packets in CONVERSATIONS.values() for packet in packets], 1))
        for number in numbers[1:]:
            enforced.change(forbids if number == numbers[-1] else allows, way, number)
        passed = sent_through(gateway, numbered(list(SIDES.values()), 500))
    assert passed == [False] * len(SIDES)


def numbered(packets: list[bytes], start: int) -> list[Sent]:
    return [Sent(link_of(each), number(fix_checksums(each), start + at), start + at) for at, each in enumerate(packets)]


def sent_through(gateway: Gateway, sent: list[Sent]) -> list[bool]:
    """Which of the packets came out."""
    seen = story(*gateway.send([(each.link, ethernet(each.link, each.packet)) for each in sent]))
    return [bool(seen.out.get(name_of(each.packet))) for each in sent]
