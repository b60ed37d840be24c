"""Replay's answers against the kernel's, packet by packet.

A packet is compared as a whole answer: verdict, label, reason, rule, alerts, and what a reject sent.  What the kernel cannot be
asked is taken out of replay's answer first, by name, in `visible`: nothing else is forgiven.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tests.fidelity.headers import header_length, option_kinds, piece_of, protocol_of, version_of
from tests.fidelity.replayed import Answer
from tests.fidelity.witness import Name, Story, name_of
from twinwall.compile.stateful import ALERT_LIMIT
from twinwall.path.reason import StageName
from twinwall.policy.model import Action
from twinwall.render.options import StatelessWay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.fidelity.replayed import Replayed
    from tests.fidelity.traffic import Sent
    from twinwall.policy.model import Policy

NOT_SEEN = Answer("drop", "", "", None)
LOST_PIECES = frozenset({"fragment_incomplete", "fragment_overlap", "fragment_limit", "fragment_duplicate"})
TCP, ICMP, RST = 6, 1, 4
OFFSET = 0x1FFF
UDPS = frozenset({17, 136})
LONG_UDP = "a UDP length beyond the packet, which the nftables form of the stateless stage leaves to the tracker (INVALID)"
ICMP_ERRORS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12})  # and what Linux takes for one
LAST_ICMP_TYPE = 18
CHECKED, UNCHECKED = frozenset({1, 6, 17, 58}), frozenset({47, 50, 51, 132, 136})  # by Linux, before it answers
CHANGED_OPTIONS = frozenset({7, 68})  # record route, timestamp


class Difference(NamedTuple):
    """One packet, or datagram, about which the two do not agree."""

    index: int  # in what was sent
    replay: str
    kernel: str

    def __str__(self) -> str:
        return f"packet {self.index}: replay: {self.replay}; kernel: {self.kernel}"


def compare(sent: Sequence[Sent], replayed: Replayed, seen: Story, excused: frozenset[int] = frozenset()) -> list[Difference]:
    """Every difference, in the order of the packets, but for those `excused` by their index."""
    return sorted([*_packets(sent, replayed, seen, excused), *_strangers(sent, seen)])


def excuses(sent: Sequence[Sent], replayed: Replayed, way: StatelessWay) -> dict[int, str]:
    """The packets that are not compared, and why."""
    if way is StatelessWay.XDP:
        return {}
    return {
        index: LONG_UDP
        for index, each in enumerate(sent)
        if replayed.answers[index].reason == "bad_udp_length" and claims_more(each.packet)
    }


def claims_more(packet: bytes) -> bool:
    """Whether the length in the UDP header reaches beyond the packet."""
    start = header_length(packet)
    return protocol_of(packet) in UDPS and int.from_bytes(packet[start + 4 : start + 6], "big") > len(packet) - start


def _packets(sent: Sequence[Sent], replayed: Replayed, seen: Story, excused: frozenset[int]) -> Iterator[Difference]:
    datagrams: dict[Name, list[int]] = {}
    for index, each in enumerate(sent):
        if index in excused:
            continue
        name = name_of(each.packet)
        if name.piece and replayed.decisions["stage"][index] == StageName.STATEFUL:
            datagrams.setdefault(name._replace(piece=0), []).append(index)
        else:
            yield from _one(index, each, visible(replayed, index, each.packet), name, seen)
    for name, indices in datagrams.items():
        yield from _datagram(indices, sent, replayed, name, seen)


def compare_counts(policy: Policy, hits: Sequence[int], counted: Sequence[int]) -> list[Difference]:
    """The stateless rules that decided, by how often: what replay says of each, the counters confirm in sum."""
    # Of a packet that a rule forwards, replay's decision is the stateful stage's: it names no stateless rule.
    return [
        Difference(-1, f"stateless rule {place}: {said} hits", f"{done} hits")
        for place, (rule, said, done) in enumerate(zip(policy.stateless.rules, hits, counted, strict=True))
        if said != done and rule.action is not Action.FORWARD
    ]


def visible(replayed: Replayed, index: int, packet: bytes) -> Answer:
    """Replay's answer about a packet as far as a witness behind the stateless stage can confirm it."""
    answer = replayed.answers[index]
    if replayed.decisions["stage"][index] == StageName.STATELESS:
        # A drop happens in front of every witness; of a pass it sees the label.  The counters confirm the rules (`trial`).
        return NOT_SEEN if answer.verdict == "drop" else Answer("pass", "untracked", "", None)
    if answer.verdict == "reject" and (not answer.reply or unanswered(packet)):
        return answer._replace(verdict="drop", reply="")  # that is how it looks from outside
    return answer


def unanswered(packet: bytes) -> str:
    """Why Linux rejects this packet without an answer; empty if it answers."""
    start, protocol = header_length(packet), protocol_of(packet)
    if protocol == TCP and packet[start + 13] & RST:
        return "no reset answers a reset"
    if protocol == ICMP and (packet[start] in ICMP_ERRORS or packet[start] > LAST_ICMP_TYPE):
        return "no ICMP error answers an ICMP error, or a message of an unknown type"
    if protocol not in CHECKED | UNCHECKED:
        return "Linux looks for an Internet checksum in the payload of a protocol that it does not know"
    if protocol in CHECKED and version_of(packet) == 4 and options_change(packet[20:start]):
        return (
            "Linux has written into the options, and the header's checksum, which it adds to the transport's, is not right yet"
        )
    return ""


def options_change(options: bytes) -> bool:
    """Whether a router writes into these IPv4 options when the packet comes in: the route, the time."""
    return bool(CHANGED_OPTIONS & set(option_kinds(options)))


def _one(index: int, sent: Sent, expected: Answer, name: Name, seen: Story) -> Iterator[Difference]:
    answer = seen.answer(name) or NOT_SEEN
    if cut_alerts(answer) != expected:
        yield Difference(index, str(expected), str(answer))
    elif expected.verdict == "pass" and payload(sent.packet) not in map(payload, seen.out[name]):
        yield Difference(index, "comes out as it came in", " ".join(each.hex() for each in seen.out[name]))


def cut_alerts(answer: Answer) -> Answer:
    """Replay reports at most so many matches of one packet (docs/limits.md); the kernel has no such bound."""
    return answer._replace(alerts=answer.alerts[:ALERT_LIMIT])


def payload(packet: bytes) -> bytes:
    """Everything behind the IP header."""
    return packet[header_length(packet) :]


def _datagram(indices: list[int], sent: Sequence[Sent], replayed: Replayed, name: Name, seen: Story) -> Iterator[Difference]:
    """Fragments that went to reassembly: one answer for the datagram they make, if they make one."""
    judged = [index for index in indices if replayed.answers[index].reason not in LOST_PIECES]
    expected = visible(replayed, judged[-1], put_together([sent[index].packet for index in judged])) if judged else NOT_SEEN
    alone = {
        name_of(each.packet) for index, each in enumerate(sent) if replayed.decisions["stage"][index] == StageName.STATELESS
    }
    came_out = b"".join(
        fragments_payload(piece)
        for at, pieces in seen.out.items()
        if at[:2] == name[:2] and at not in alone
        for piece in pieces
    )
    answer = seen.answer(name) or NOT_SEEN
    if answer.verdict == "drop" and came_out and answer is not NOT_SEEN:
        answer = answer._replace(verdict="pass")
    if cut_alerts(answer) != expected:
        yield Difference(indices[-1], f"datagram: {expected}", f"datagram: {answer}")
    elif bool(came_out) != (expected.verdict == "pass"):
        yield Difference(indices[-1], f"datagram: {expected}", f"datagram: {len(came_out)} bytes came out")


def put_together(pieces: list[bytes]) -> bytes:
    """The datagram that whole and undisputed pieces make."""
    by_place = {piece_of(piece) & OFFSET: piece for piece in pieces}
    data = b"".join(fragments_payload(by_place[place]) for place in sorted(by_place))
    first = by_place[0]
    head = first[: header_length(first)]
    return head + data if version_of(first) == 4 else head[:6] + first[40:41] + head[7:] + data


def fragments_payload(packet: bytes) -> bytes:
    """A fragment's part of its datagram."""
    return payload(packet)[8 if version_of(packet) == 6 else 0 :]


def _strangers(sent: Sequence[Sent], seen: Story) -> Iterator[Difference]:
    """What was seen of packets that nobody sent, or more often than they were sent."""
    names = Counter(name_of(each.packet) for each in sent)
    wholes = {name._replace(piece=0) for name in names}
    for name, found in seen.packets.items():
        if name not in names and name not in wholes:
            yield Difference(-1, "no such packet", f"{name}: {found}")
        elif len(found) > max(names[name], 1):
            yield Difference(-1, f"sent {names[name]} times", f"{name}: {found}")
    for name, packets in seen.out.items():
        if not name.piece and len(packets) > max(names[name], 1):
            yield Difference(-1, f"sent {names[name]} times", f"{name} came out {len(packets)} times")
