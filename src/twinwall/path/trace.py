"""What the packet path tells a recorder: the events of `note`, each with the sentence that `explain` prints.

`{}` is the event's value.  Events cost nothing in the compiled targets.  `engine.recorder` turns values into names.
"""

from __future__ import annotations

from enum import IntEnum


class TraceEvent(IntEnum):
    """One step of a packet's way."""

    DECODED = 1, "decoded: {}"
    TRACKED = 10, "tracked: {}"
    FRAGMENT = 11, "fragment: {}"
    TCP_STEP = 12, "TCP: {}"
    TCP_OUT_OF_WINDOW = 13, "the segment's numbers do not fit what the other side expects: {}"
    TCP_RESET_REFUSED = 14, "the reset does not carry the number that the other side expects: {}"
    STATELESS_RULE = 20, "stateless rule {} is the first that matches"
    STATELESS_DEFAULT = 21, "no stateless rule matches; the default action is {}"
    STATELESS_FRAGMENT_DEFAULT = 22, "no stateless rule matches this fragment; the fragment action is {}"
    FLOW_VERDICT = 30, "the flow was decided before: {}"
    CANDIDATES = 31, "{} stateful rules are left by addresses, ports and protocol"
    MATCH = 32, "stateful rule {} matches"
    RESIDUAL_FAILED = 33, "stateful rule {} fits the header, but not its other conditions"
    DECIDED = 34, "stateful rule {} decides the packet"
    OVERRULED = 35, "stateful rule {} matches, but the packet is dropped already"
    FLOW_MARKED = 36, "the verdict of stateful rule {} holds for the whole flow"
    FLOW_KEPT = 37, "stateful rule {} covers the flow, but the flow was decided before"
    DEFAULT_ACTION = 38, "no rule decides the packet; default action {} applies"
    NO_RULE = 39, "no stateful rule decides the packet, and no default action applies"
    RULES_ASKED = 40, "the stateful rules are asked about a packet {}"
    TEST_FAILED = 41, "the packet fails the condition {}"
    FLOWBIT_FAILED = 42, "the flow fails the condition {}"

    sentence: str

    def __new__(cls, number: int, sentence: str) -> TraceEvent:
        member = int.__new__(cls, number)
        member._value_ = number
        member.sentence = sentence
        return member
