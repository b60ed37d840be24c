"""Flows as Linux has them: what a dropped first packet leaves, what INVALID packets are, and the notion of established.

The kernel test runs the nftables rules that `conntrack.marks` stands for, in a router that drops some of the packets.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conntrack.conversation import FLOWS, NO_ENTRY, Conversation, Listing, conversations
from tests.conntrack.generated import CONVERSATIONS
from tests.conntrack.segments import PAIR6, Pair, checksum, icmp, ip
from tests.conntrack.tracked import Tracked
from tests.oracle.kernel import CONDITIONS, KernelOracle, why_unavailable
from twinwall.conntrack.entry import END_DROPPED, END_REPLACED
from twinwall.path.flow_state import TRACK_ESTABLISHED, TRACK_FRESH, TRACK_MIDSTREAM, TRACK_QUOTE, TRACK_TO_CLIENT
from twinwall.path.reason import CtState
from twinwall.policy.model import Flows, Tracking

LINUX = Tracking(connections=1000, flows=Flows.LINUX)
BOTH = pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])
HANDSHAKE = [(0, "S", 1, 0), (1, "SA", 1, 2), (0, "A", 2, 2)]


def segment(pair: Pair, who: int, *numbers) -> bytes:
    return (pair if who == 0 else pair.swapped()).tcp(*numbers)


def established(pair: Pair, *segments) -> list[bool]:
    """Which of the segments belong to an established flow, as the rules are told."""
    tracked = Tracked(LINUX)
    return [bool(tracked.send(segment(pair, *each)).marks & TRACK_ESTABLISHED) for each in segments]


@BOTH
def test_a_flow_whose_first_packet_was_dropped_is_forgotten_and_handed_out_once(pair: Pair):
    tracked = Tracked(LINUX)
    first = tracked.send(pair.tcp("S", 1), dropped=True)
    assert (str(first), first.marks & TRACK_FRESH) == ("NEW original", TRACK_FRESH)
    assert tracked.table.count == 0
    assert tracked.send(pair.swapped().tcp("SA", 1, 2)).index == 0
    (ended,) = tracked.table.drain_ended()
    assert (ended["end_reason"], ended["o_packets"], ended["r_packets"]) == (END_DROPPED, 1, 0)
    again = tracked.send(pair.tcp("S", 1))
    assert again.marks & TRACK_FRESH
    assert tracked.says(pair.swapped().tcp("SA", 1, 2)) == "ESTABLISHED reply"


@BOTH
def test_the_answer_to_a_dropped_packet_begins_a_flow_of_its_own(pair: Pair):
    tracked = Tracked(LINUX)
    tracked.send(pair.udp(), dropped=True)
    answer = tracked.send(pair.swapped().udp())
    assert str(answer) == "NEW original"
    assert not answer.marks & TRACK_TO_CLIENT
    assert str(onward := tracked.send(pair.udp())) == "ESTABLISHED reply"
    assert onward.marks & TRACK_TO_CLIENT


@BOTH
def test_an_invalid_packet_belongs_to_no_flow(pair: Pair):
    tracked = Tracked(LINUX)
    for each in HANDSHAKE:
        tracked.send(segment(pair, *each))
    packets = int(tracked.only()["o_packets"]), int(tracked.only()["r_packets"])
    wild = tracked.send(pair.swapped().tcp("A", 1 << 30, 2, 10))
    assert wild == (CtState.INVALID, wild.direction, 0, 0)
    assert (int(tracked.only()["o_packets"]), int(tracked.only()["r_packets"])) == packets


@pytest.mark.parametrize(("flags", "label", "mark"), [
    ("A", "NEW original", TRACK_MIDSTREAM), ("PA", "NEW original", TRACK_MIDSTREAM), ("FA", "INVALID", 0), ("SA", "INVALID", 0),
    ("RA", "INVALID", 0), ("F", "INVALID", 0), ("S", "NEW original", 0),
])  # fmt: skip
def test_midstream_is_what_the_tracker_picks_up(flags: str, label: str, mark: int):
    answer = Tracked(LINUX).send(Pair().tcp(flags, 1, 1))
    assert (str(answer), answer.marks & TRACK_MIDSTREAM) == (label, mark)


def test_where_nothing_is_picked_up_nothing_is_midstream():
    strict = Tracked(Tracking(connections=10, tcp_loose=False, flows=Flows.LINUX))
    answer = strict.send(Pair().tcp("A", 1, 1))
    assert (answer.state, answer.marks) == (CtState.INVALID, 0)


@BOTH
def test_only_the_first_packet_of_a_picked_up_connection_is_midstream_and_not_established(pair: Pair):
    tracked = Tracked(LINUX)
    marks = [tracked.send(segment(pair, *each)).marks for each in ((0, "A", 1, 1), (0, "A", 1, 1, 5), (1, "A", 1, 6))]
    assert [bool(each & TRACK_MIDSTREAM) for each in marks] == [True, False, False]
    assert [bool(each & TRACK_ESTABLISHED) for each in marks] == [False, True, True]


@BOTH
def test_ports_used_again_begin_a_connection_that_knows_nothing(pair: Pair):
    tracked = Tracked(LINUX)
    closing = [(0, "FA", 2, 2), (1, "FA", 2, 3), (0, "A", 3, 3)]
    for each in HANDSHAKE + closing:
        tracked.send(segment(pair, *each))
    again = tracked.send(pair.tcp("S", 70000), dropped=True)
    assert (str(again), again.marks) == ("NEW original", TRACK_FRESH)
    assert tracked.table.drain_ended()["end_reason"].tolist() == [END_REPLACED, END_DROPPED]
    assert tracked.table.count == 0


@BOTH
def test_established_after_the_handshake_and_with_its_data(pair: Pair):
    assert established(pair, *HANDSHAKE, (0, "A", 2, 2)) == [False, False, False, True]
    assert established(pair, *HANDSHAKE[:2], (0, "PA", 2, 2, 5), (1, "A", 2, 7)) == [False, False, True, True]


@BOTH
def test_established_where_a_close_or_a_reset_follows_the_answer(pair: Pair):
    assert established(pair, *HANDSHAKE[:2], (0, "FA", 2, 2), (1, "A", 2, 3)) == [False, False, False, True]
    assert established(pair, *HANDSHAKE[:2], (0, "R", 2), (0, "R", 2)) == [False, False, False, True]


@BOTH
def test_other_protocols_are_established_once_a_reply_was_seen(pair: Pair):
    tracked = Tracked(LINUX)
    packets = [pair.udp(), pair.udp(), pair.swapped().udp(), pair.udp()]
    assert [bool(tracked.send(each).marks & TRACK_ESTABLISHED) for each in packets] == [False, False, True, True]


def test_an_error_is_as_established_as_the_flow_it_speaks_of():
    pair, tracked = Pair(), Tracked(LINUX)
    tracked.send(pair.udp())
    error = ip("10.9.9.9", pair.client.address, 1, icmp(3, 3, 0, 0, pair.udp()))
    first = tracked.send(error)
    tracked.send(pair.swapped().udp())
    second = tracked.send(error)
    assert [str(each) for each in (first, second)] == ["RELATED reply"] * 2
    assert first.marks == TRACK_QUOTE | TRACK_TO_CLIENT
    assert second.marks == TRACK_QUOTE | TRACK_TO_CLIENT | TRACK_ESTABLISHED
    assert first.index == second.index


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(CONVERSATIONS)), st.integers(0, 10**6), st.lists(st.booleans(), min_size=30, max_size=30))
def test_rules_know_no_flow_that_linux_does_not(kind: str, seed: int, drops: list[bool]):
    """Whatever is dropped: a NEW packet meets an entry only unanswered, no INVALID one has any, none is turned round."""
    tracked = Tracked(LINUX)
    for packet, dropped in zip(CONVERSATIONS[kind](random.Random(seed)), drops, strict=False):
        before = tracked.table.count
        answer = tracked.send(packet, dropped=dropped)
        if answer.state in (CtState.INVALID, CtState.UNTRACKED):
            assert (answer.index, answer.marks | TRACK_QUOTE) == (0, TRACK_QUOTE)
        else:
            assert answer.index
            assert bool(answer.marks & TRACK_TO_CLIENT) == (answer.direction == 1)
        if answer.marks & TRACK_FRESH and dropped:
            assert tracked.table.count <= before
        assert answer.state is CtState.NEW or not answer.marks & TRACK_MIDSTREAM


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(CONVERSATIONS)), st.integers(0, 10**6))
def test_where_nothing_is_dropped_the_labels_are_the_same(kind: str, seed: int):
    linux, rules = Tracked(LINUX), Tracked()
    for packet in CONVERSATIONS[kind](random.Random(seed)):
        assert linux.says(packet) == rules.says(packet)


VECTORS = [*conversations(Pair(), FLOWS), *conversations(PAIR6, FLOWS)]
IDS = [f"{vector.name}-v{vector.steps[0].packet[0] >> 4}" for vector in VECTORS]


@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_vector(vector: Conversation):
    tracked = Tracked(LINUX)
    for step in vector.steps:
        answer = tracked.send(step.packet, dropped=step.dropped)
        told = str(answer), bool(answer.marks & TRACK_ESTABLISHED)
        where = f"{vector.name} line {step.line}; this vector catches: {vector.catches}"
        assert told == (step.label, step.established), where
        if step.entry == NO_ENTRY:
            assert not tracked.living(), where
        elif step.entry is not None:
            state, seconds, flag = tracked.listed()
            assert Listing(state, round(seconds), flag) == step.entry, where


def test_the_folder_of_vectors_holds_nothing_else():
    assert {path.suffix for path in FLOWS.iterdir()} == {".conversation"}


# What a ruleset does to tell what the label does not (docs/design/enforcement.md): before its verdict ...
TOLD = """
    ct state related ct mark and 2 == 2 meta mark set 1
    ct state related ct original protocol != tcp ct status seen-reply meta mark set 1
    ct state established meta l4proto != tcp meta mark set 1
    meta l4proto tcp ct mark and 2 == 2 meta mark set 1
    meta l4proto tcp ct mark and 1 == 1 ct direction original tcp flags & (fin|syn|rst|ack) == ack @ih,0,8 0-255 meta mark set 1
"""
# ... and after it.
LEARNT = """
    meta l4proto != tcp jump fate
    tcp flags & (fin|syn|rst|ack) == syn|ack ct mark set ct mark or 1
    ct mark and 1 == 1 tcp flags & (fin|rst) != 0 ct mark set ct mark or 2
    ct status assured ct mark set ct mark or 2
    ct state new tcp flags & (syn|rst) == 0 ct mark set ct mark or 2
    jump fate
"""
UNLUCKY = 100  # the TTL of packets that the router drops


def ruleset() -> str:
    shown = "\n".join(
        f"    meta mark 1 meta nfproto {family} {condition} {field} dscp set {value + 8}"
        for value, condition in CONDITIONS.items()
        for family, field in (("ipv4", "ip"), ("ipv6", "ip6"))
    )
    return f"""
table inet marks {{
  chain fate {{ ip ttl {UNLUCKY - 1} drop; ip6 hoplimit {UNLUCKY - 1} drop; }}
  chain forward {{
    type filter hook forward priority 0; policy accept;
    ct state untracked,invalid accept
    {TOLD}
    {shown}
    {LEARNT}
  }}
}}
"""


def unlucky(packet: bytes) -> bytes:
    """The packet with the TTL that has it dropped."""
    changed = bytearray(packet)
    if packet[0] >> 4 == 6:
        changed[7] = UNLUCKY
        return bytes(changed)
    changed[8], changed[10:12] = UNLUCKY, b"\0\0"
    changed[10:12] = struct.pack("!H", checksum(bytes(changed[: 4 * (packet[0] & 15)])))
    return bytes(changed)


@pytest.fixture(scope="module")
def kernel() -> Iterator[KernelOracle]:
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    with KernelOracle() as oracle:
        oracle.router.run("nft", "-f", "-", text=ruleset())
        yield oracle


@pytest.mark.kernel
@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_the_kernel_says_the_same(kernel: KernelOracle, kind: str):
    seen = set()
    for seed in range(1200 if kind == "clashing" else 120):
        rng = random.Random(f"{kind} {seed}")
        kernel.flush()
        tracked, story = Tracked(LINUX), []
        for packet in CONVERSATIONS[kind](rng):
            sent = unlucky(packet) if rng.random() < 0.15 else packet
            label = kernel.label(sent)
            ours = tracked.send(sent, dropped=label is None)
            story.append(f"{sent.hex()} kernel: {label} {kernel.remark} tracker: {ours} {ours.marks:x}")
            if label is not None:
                told = " ".join(filter(None, label)), kernel.remark
                assert told == (str(ours), int(bool(ours.marks & TRACK_ESTABLISHED))), "\n".join(story)
                seen.add(told)
    assert {("INVALID", 0), ("NEW original", 0), ("ESTABLISHED reply", 1), ("ESTABLISHED original", 1)} <= seen


@pytest.mark.kernel
@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_the_kernel_says_what_the_vector_says(kernel: KernelOracle, vector: Conversation):
    kernel.flush()
    for step in vector.steps:
        label = kernel.label(unlucky(step.packet) if step.dropped else step.packet)
        assert (label is None) == step.dropped
        if label is not None:
            told = " ".join(filter(None, label)), bool(kernel.remark)
            assert told == (step.label, step.established), f"{vector.name} line {step.line}"
        if step.entry is not None:
            listed = [(each.state, "ASSURED" * each.assured or "UNREPLIED" * each.unreplied) for each in kernel.listed()
                      if each.protocol == "tcp"]  # fmt: skip
            assert listed == ([] if step.entry == NO_ENTRY else [(step.entry.state, step.entry.flag)])
