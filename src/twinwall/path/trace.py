"""What the packet path tells a recorder: the events of `note`, each with the sentence that `explain` prints.

`{}` is the event's value.  Events cost nothing in the compiled targets.  `engine.recorder` turns values into names.
"""

from __future__ import annotations

from enum import IntEnum


class TraceEvent(IntEnum):
    """One step of a packet's way."""

    DECODED = 1, "{}"
    TRACKED = 10, "the label is {}"
    FRAGMENT = 11, "{}"
    TCP_STEP = 12, "{}"
    TCP_OUT_OF_WINDOW = 13, "refused, because {} lies outside what the other side expects"
    TCP_RESET_REFUSED = 14, "refused, because {} is not what the other side expects of a reset"
    STATELESS_RULE = 20, "rule {} is the first that matches"
    STATELESS_DEFAULT = 21, "no rule matches; the default action is {}"
    STATELESS_FRAGMENT_DEFAULT = 22, "no rule matches this fragment; the fragment action is {}"
    FLOW_VERDICT = 30, "the flow was decided before: {}"
    CANDIDATES = 31, "rules and default actions that fit addresses, ports and protocol: {}"
    MATCH = 32, "rule {} matches"
    RESIDUAL_FAILED = 33, "rule {} fits the header, but not this condition"
    DECIDED = 34, "rule {} decides the packet"
    OVERRULED = 35, "rule {} changes nothing: the packet is decided already"
    FLOW_MARKED = 36, "the verdict of rule {} holds for the whole flow"
    FLOW_KEPT = 37, "rule {} covers the flow, but the flow was decided before"
    DEFAULT_ACTION = 38, "no rule decides the packet; default action {} applies"
    NO_RULE = 39, "no rule decides the packet, and no default action applies"
    RULES_ASKED = 40, "the rules are asked about a packet {}"
    TEST_FAILED = 41, "the packet fails the condition {}"
    FLOWBIT_FAILED = 42, "the flow fails the condition {}"

    sentence: str

    def __new__(cls, number: int, sentence: str) -> TraceEvent:
        member = int.__new__(cls, number)
        member._value_ = number
        member.sentence = sentence
        return member
