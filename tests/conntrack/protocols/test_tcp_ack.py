"""The short way through the TCP machine changes nothing: with it and without it, every answer and every byte is the same."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conntrack.generated import CONVERSATIONS
from tests.conntrack.segments import Pair
from tests.conntrack.tracked import Tracked
from twinwall.conntrack import tracker
from twinwall.conntrack.protocols.tcp_ack import step_ack
from twinwall.policy.model import Tracking

CLIENT = Pair()
SERVER = CLIENT.swapped()
STAMP = bytes((1, 1, 8, 10)) + bytes(8)
SACK = bytes((1, 1, 5, 10)) + (1400).to_bytes(4, "big") + (1500).to_bytes(4, "big")
OFFERS = bytes((1, 3, 3, 2, 1, 1, 4, 2))
NEAR = st.integers(-3, 3) | st.integers(-200, 200) | st.sampled_from([-70000, 70000, 1 << 31, 1 << 30])
SEGMENT = st.tuples(
    st.sampled_from((CLIENT, SERVER)),
    st.sampled_from(("A", "PA", "A", "PA", "AU", "FA", "R", "S")),
    NEAR,
    NEAR,
    st.sampled_from((0, 1, 100)),
    st.sampled_from((0, 1, 500, 65535)),
    st.sampled_from((b"", STAMP, SACK)),
)


class Twice:
    """Two trackers fed the same; the second has no short way."""

    def __init__(self, tracking: Tracking) -> None:
        self.short, self.long = Tracked(tracking), Tracked(tracking)
        self.taken = 0

    def send(self, packet: bytes) -> None:
        def counted(*arguments: object) -> int:
            taken = step_ack(*arguments)  # type: ignore[arg-type]
            self.taken += taken
            return taken

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tracker, "step_ack", counted)
            answer = self.short.send(packet)
            patch.setattr(tracker, "step_ack", lambda *_: 0)
            assert self.long.send(packet) == answer
        assert np.array_equal(self.short.table.words, self.long.table.words)

    def wait(self, seconds: float) -> None:
        self.short.wait(seconds)
        self.long.wait(seconds)


@pytest.fixture(params=[{}, {"tcp_be_liberal": True}, {"tcp_max_retrans": 0}], ids=lambda each: next(iter(each), "usual"))
def settings(request: pytest.FixtureRequest) -> Tracking:
    return Tracking(connections=6, **request.param)


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_conversations(settings: Tracking, kind: str):
    twice = Twice(settings)
    rng = random.Random(kind)
    for _ in range(15):
        for packet in CONVERSATIONS[kind](rng):
            twice.wait(rng.choice([0, 0.5, 40, 400]))
            twice.send(packet)


@given(st.booleans(), st.lists(SEGMENT, min_size=1, max_size=12))
def test_segments_around_the_window(offers: bool, segments: list[tuple[Pair, str, int, int, int, int, bytes]]):
    twice = Twice(Tracking(connections=6))
    options = OFFERS if offers else b""
    twice.send(CLIENT.tcp("S", 999, options=options))
    twice.send(SERVER.tcp("SA", 999, 1000, options=options))
    twice.send(CLIENT.tcp("A", 1000, 1000))
    sent = {CLIENT: 1000, SERVER: 1000}
    for pair, flags, ahead, acks, length, window, more in segments:
        other = SERVER if pair is CLIENT else CLIENT
        seq, ack = (sent[pair] + ahead) % (1 << 32), (sent[other] + acks) % (1 << 32)
        twice.send(pair.tcp(flags, seq, ack, length, window=window, options=more))
        if ahead == 0:
            sent[pair] = (seq + length) % (1 << 32)


def test_usual_segments_take_it():
    twice = Twice(Tracking(connections=6))
    twice.send(CLIENT.tcp("S", 999))
    twice.send(SERVER.tcp("SA", 999, 1000))
    twice.send(CLIENT.tcp("A", 1000, 1000))
    assert twice.taken == 0
    twice.send(CLIENT.tcp("PA", 1000, 1000, 100))
    twice.send(SERVER.tcp("A", 1000, 1100))
    twice.send(SERVER.tcp("PA", 1000, 1100, 300, options=STAMP))
    assert twice.taken == 3
    twice.send(SERVER.tcp("PA", 1000, 1100, 300, options=STAMP))
    twice.send(CLIENT.tcp("FA", 1100, 1300))
    assert twice.taken == 3
