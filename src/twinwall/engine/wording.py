"""What was noted, in words: rules, tracker answers, conditions; `engine.story` makes sentences of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twinwall.conntrack.protocols.tcp import TABLE, SegmentKind, TcpState
from twinwall.engine.decision import RejectReply
from twinwall.engine.fit import FIELD_WORDS, accepts, failure_words, value_of
from twinwall.engine.recorder import Row, Step
from twinwall.engine.row_wording import packet_words
from twinwall.path.flow_state import (
    FLOW_DROP,
    FLOW_PASS,
    FLOW_REJECT,
    TRACK_FRESH,
    TRACK_FULL,
    TRACK_MIDSTREAM,
    TRACK_QUOTE,
)
from twinwall.path.reason import CtState, Direction, Reason
from twinwall.path.table_layout import ACTION_DROP, ACTION_FORWARD, ACTION_PASS, OP_ISSET
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import PacketField, Rule
from twinwall.stream import fragments

REASONS = {reason.value: reason for reason in Reason}

ACTIONS = {ACTION_PASS: "pass", ACTION_DROP: "drop", ACTION_FORWARD: "forward"}
FLOW_VERDICTS = {FLOW_PASS: "pass", FLOW_DROP: "drop", FLOW_REJECT: "reject"}
REPLIES = {
    RejectReply.NONE: "nothing (ICMPv6 is never answered with an error)",
    RejectReply.TCP_RESET: "a TCP reset to the packet's sender",
    RejectReply.ICMP_PROHIBITED: "an ICMP destination unreachable, administratively prohibited, to the packet's sender",
    RejectReply.ICMPV6_PROHIBITED: "an ICMPv6 destination unreachable, administratively prohibited, to the packet's sender",
}
PIECES = {
    fragments.WHOLE: "the whole datagram in one piece",
    fragments.HELD: "held until the datagram's other pieces come",
    fragments.COMPLETE: "the last piece that was missing; the datagram is judged as one packet",
    fragments.OVERLAP: "it overlaps another piece; the whole datagram is discarded",
    fragments.DUPLICATE: "it came before; this piece alone is dropped",
    fragments.LIMIT: "there is no room for it",
    fragments.BAD: "it contradicts the pieces before it",
}
MARKS = {
    TRACK_FRESH: "a new entry",
    TRACK_FULL: "the table is full",
    TRACK_MIDSTREAM: "the connection's start was not seen",
    TRACK_QUOTE: "an ICMP error, labelled by the packet that it quotes",
}
KINDS = {SegmentKind.SYNACK: "SYN-ACK", SegmentKind.NONE: "a segment without flags"}
SIDES = ("to the server", "to the client", "of no flow")


def rule_words(rule: Rule) -> str:
    """What a rule is called: its number and its message; of a rule that nobody wrote, that it is one."""
    message = f' "{rule.message}"' if rule.message else ""
    return f"{rule.sid}{message}{' (implied, not written)' if rule.synthetic else ''}"


def rule_place(rule: Rule) -> str:
    """Where a rule stands in the user's files; empty for one that nobody wrote."""
    return "" if rule.synthetic else f"{rule.span.file}:{rule.span.line}"


def value_words(step: Step, record: Row) -> str:
    """The value of a step that speaks of no rule."""
    value = step.value
    words = VALUE_WORDS.get(step.event)
    if step.event is TraceEvent.DECODED:
        return packet_words(record) if value == 0 else reason_words(value)
    return words(value) if words else str(value)


def test_words(step: Step, rule: Rule, record: Row, flowbits: Sequence[str]) -> str:
    """The condition beyond the tables that a rule failed on."""
    if step.event is TraceEvent.FLOWBIT_FAILED:
        kind = "isset" if step.value & 0xFF == OP_ISSET else "isnotset"
        names = next(
            (each.names for each in rule.flowbits if each.kind == kind and flowbits[step.value >> 32] == each.names[0]), ()
        )
        return f"flowbits:{kind},{'|'.join(names)}"
    field = PacketField(step.value >> 8 & 0xFF)
    for condition in rule.conditions:
        if condition.field is field and not accepts(condition, value_of(record, field)):
            return failure_words(condition, record)
    return FIELD_WORDS[field]


def tracked_words(tracked: int) -> str:
    """The tracker's answer."""
    label = CtState(tracked & 0xFF)
    direction = Direction(tracked >> 8 & 0xFF)
    words = [label.name if label else "no label"]
    if direction is not Direction.NONE:
        words.append(f"{direction.name.lower()} direction")
    words += [text for mark, text in MARKS.items() if tracked & mark]
    return ", ".join(words)


def place_words(place: int) -> str:
    """What the flow says of a packet to the rules (`path.evaluate`): its direction, and what is known of the flow."""
    words = [SIDES[min(place & 3, 2)]]
    if place & 3 != 2:
        words.append("of an established flow" if place & 4 else "of a flow that is not established yet")
        words.append(
            "the first of its side" if place & 8 else "not the first of its side, so that IP-only rules are not asked again"
        )
    return ", ".join(words)


def tcp_step_words(step: int) -> str:
    """The cell of the TCP table that a segment met, and why it stands there."""
    kind, old, state, direction = (step >> shift & 0xFF for shift in (0, 8, 16, 24))
    cell = TABLE[Direction(direction), SegmentKind(kind)][old]
    name = {SegmentKind.SYNACK: "SYN-ACK", SegmentKind.NONE: "segment without flags"}.get(
        SegmentKind(kind), SegmentKind(kind).name
    )
    side, was = Direction(direction).name.lower(), TcpState(old).name
    says = {
        TcpState.INVALID: f"the table calls it invalid in {was}",
        TcpState.IGNORE: f"the table lets it pass in {was} and keeps the state",
    }.get(TcpState(state), f"the table leads from {was} to {TcpState(state).name}")
    return f"{name} in {side} direction: {says}; {cell.reason}"


def reason_words(reason: int) -> str:
    """A reason's name and sentence."""
    return f"{REASONS[reason].name.lower()}: {REASONS[reason].explanation}"


def window_words(numbers: int) -> str:
    """Sequence and acknowledgement number."""
    return f"seq {numbers & 0xFFFFFFFF} ack {numbers >> 32}"


VALUE_WORDS: dict[TraceEvent, Callable[[int], str]] = {
    TraceEvent.TRACKED: tracked_words,
    TraceEvent.FRAGMENT: PIECES.__getitem__,
    TraceEvent.TCP_STEP: tcp_step_words,
    TraceEvent.TCP_OUT_OF_WINDOW: window_words,
    TraceEvent.TCP_RESET_REFUSED: "seq {}".format,
    TraceEvent.STATELESS_DEFAULT: ACTIONS.__getitem__,
    TraceEvent.STATELESS_FRAGMENT_DEFAULT: ACTIONS.__getitem__,
    TraceEvent.FLOW_VERDICT: FLOW_VERDICTS.__getitem__,
    TraceEvent.RULES_ASKED: place_words,
}
