"""What the packet path tells a recorder: the events of `note`, each with the sentence that `explain` prints.

`{}` is the event's value.  Events cost nothing in the compiled targets.  `engine.recorder` turns values into names.
"""

from __future__ import annotations

from enum import IntEnum


class TraceEvent(IntEnum):
    """One step of a packet's way."""

    DECODED = 1, "decoded: {}"
    STATELESS_CANDIDATE = 2, "stateless rule {} matches"

    sentence: str

    def __new__(cls, number: int, sentence: str) -> TraceEvent:
        member = int.__new__(cls, number)
        member._value_ = number
        member.sentence = sentence
        return member
