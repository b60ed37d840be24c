from __future__ import annotations

import pytest

from tests.engine.world import World
from twinwall.conntrack.tcp import TABLE
from twinwall.engine import wording as w
from twinwall.engine.decision import RejectReply
from twinwall.path.flow_state import TRACK_FRESH, TRACK_MIDSTREAM
from twinwall.path.trace import TraceEvent
from twinwall.stream import fragments


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("tcp 10.0.0.5:1 > 10.0.0.6:2 S.", "flags S., seq 1000 ack 5001 win 65535, ttl 64, 0 bytes of payload"),
        ("icmp 10.0.0.5 > 10.0.0.6 3/1 len 4", "icmp 10.0.0.5 > 10.0.0.6, host-unreachable, id 1 seq 1, ttl 64"),
        ("udp [2001:db8::1]:1 > [2001:db8::2]:2 ttl 3", "udp [2001:db8::1]:1 > [2001:db8::2]:2, ttl 3, 0 bytes"),
        ("udp 10.0.0.5:1 > 10.0.0.6:2 len 8 frag 16", "udp 10.0.0.5 > 10.0.0.6, the piece at byte 16, the last, ttl 64"),
        ("udp 10.0.0.5:1 > 10.0.0.6:2 len 8 frag 0+", "the piece at byte 0, more follow"),
        ("udp 10.0.0.5:1 > 10.0.0.6:2 vlan 7", "VLAN 7"),
    ],
)
def test_packets(said, told):
    assert told in w.packet_words(World("").say(said).record)


def test_every_value_has_words():
    for (direction, kind), cells in TABLE.items():
        for old, cell in enumerate(cells):
            words = w.tcp_step_words(kind | old << 8 | cell.state << 16 | direction << 24)
            assert words.endswith(cell.reason)
    assert set(w.PIECES) == {getattr(fragments, name) for name in fragments.__all__ if name.isupper()} - {fragments.EVICT}
    assert set(w.REPLIES) == set(RejectReply)
    assert w.tracked_words(1 | TRACK_FRESH | TRACK_MIDSTREAM) == (
        "NEW, original direction, a new entry, the connection's start was not seen"
    )


def test_sides_of_a_flow():
    assert w.place_words(2) == "of no flow"
    assert w.place_words(12) == "to the server, of an established flow, the first of its side"
    assert "not asked again" in w.place_words(1)


def test_every_event_has_a_sentence_with_one_gap_at_most():
    assert all(event.sentence.count("{}") == (event is not TraceEvent.NO_RULE) for event in TraceEvent)
