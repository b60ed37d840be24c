"""The events that a recorder hears: each has a number and a sentence that takes its value."""

from __future__ import annotations

from twinwall.path.trace import TraceEvent


def test_events_are_found_by_their_number():
    assert all(TraceEvent(int(event)) is event for event in TraceEvent)
    assert len(set(map(int, TraceEvent))) == len(TraceEvent)


def test_every_sentence_takes_at_most_the_one_value():
    for event in TraceEvent:
        said = event.sentence.format("VALUE")
        assert said.count("VALUE") == (0 if event is TraceEvent.NO_RULE else 1), event.name
        assert "{" not in said


def test_two_events_never_say_the_same_of_one_value():
    bare = {TraceEvent.DECODED, TraceEvent.FRAGMENT, TraceEvent.TCP_STEP}  # the recorder writes the whole sentence
    said = [event.sentence.format(1) for event in TraceEvent if event not in bare]
    assert len(set(said)) == len(said)
