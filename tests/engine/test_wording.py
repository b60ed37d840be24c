from __future__ import annotations

from twinwall.conntrack.protocols.tcp import TABLE
from twinwall.engine import wording as w
from twinwall.engine.decision import RejectReply
from twinwall.path.flow_state import TRACK_FRESH, TRACK_MIDSTREAM
from twinwall.path.trace import TraceEvent
from twinwall.stream import fragments


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
