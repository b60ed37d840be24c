"""Warnings about a sound policy: rules that do not do what whoever wrote them very likely meant."""

from __future__ import annotations

from collections.abc import Iterator

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, Severity
from twinwall.policy.model import Action, Condition, Order, PacketField, Policy, Rule, RuleType
from twinwall.rules.keywords.ip import FRAG_BITS

MOST_COMPARED = 1_000  # rules that are compared each with each
Mirrorable = tuple[frozenset[int] | None, object, object, object, object]


def lint(policy: Policy) -> tuple[Diagnostic, ...]:
    """Every warning, stateless stage first, of each kind in the order of the rules."""
    return (
        *_stateless(policy.stateless.rules),
        *_streams(policy.stateful.rules),
        *_pieces(policy.stateful.rules),
        *_stateful(policy),
    )


def _warning(rule: Rule, code: Code, message: str, hint: str) -> Diagnostic:
    return Diagnostic(Severity.WARNING, code, message, rule.span, hint)


def _stateless(rules: tuple[Rule, ...]) -> Iterator[Diagnostic]:
    """One-way pass and forward rules: the stateful stage sees half of their connections, or none of the replies get by."""
    passing = [rule for rule in rules if rule.action is not Action.DROP]
    present = {_shape(rule) for rule in passing}
    for rule in passing:
        if rule.synthetic or _is_answered(rule, passing, present):
            continue
        if any(condition.field is PacketField.TCP_FLAGS for condition in rule.conditions):
            message = f"stateless rule {rule.sid} lets packets by for their TCP flags; the other side's packets have others"
            yield _warning(rule, Code.FLAGS_ONE_WAY, message, "use flags in drop rules, or let the stateful stage decide")
        elif not rule.bidirectional:
            message = f"stateless rule {rule.sid} covers one direction only; nothing covers the packets that come back"
            yield _warning(rule, Code.ASYMMETRIC, message, "write `<>`, or add the rule for the other direction")


def _is_answered(rule: Rule, passing: list[Rule], present: set[Mirrorable]) -> bool:
    """Whether another rule passes packets that go back; in long lists only one that is the rule's exact mirror counts."""
    if not rule.conditions and (rule.bidirectional or _mirror(rule) in present):
        return True
    return len(passing) <= MOST_COMPARED and any(_answers(other, rule) for other in passing if other is not rule)


def _answers(other: Rule, rule: Rule) -> bool:
    """Whether `other` accepts some packets with the addresses and ports of `rule` the other way round."""
    if rule.protocols is not None and other.protocols is not None and not rule.protocols & other.protocols:
        return False
    ports = (other.source_ports & rule.destination_ports, other.destination_ports & rule.source_ports)
    addresses = (other.source & rule.destination, other.destination & rule.source)
    return all(each.ranges for each in ports) and not any(each.is_empty for each in addresses)


def _shape(rule: Rule) -> Mirrorable:
    return (rule.protocols, rule.source, rule.source_ports, rule.destination, rule.destination_ports)


def _mirror(rule: Rule) -> Mirrorable:
    return (rule.protocols, rule.destination, rule.destination_ports, rule.source, rule.source_ports)


def _streams(rules: tuple[Rule, ...]) -> Iterator[Diagnostic]:
    """Rules for reassembled data: what is judged are packets."""
    for rule in rules:
        if rule.flow is not None and rule.flow.stream:
            message = f"rule {rule.sid} asks for reassembled data, but rules are asked about packets: it never matches"
            yield _warning(rule, Code.STREAM_ONLY, message, "leave `only_stream` out")


# What these fields can hold in a packet that is no piece of a datagram: "more fragments" clear, offset 0.
WHOLE = {
    PacketField.FRAG_BITS: (0, FRAG_BITS["D"], FRAG_BITS["R"], FRAG_BITS["D"] | FRAG_BITS["R"]),
    PacketField.FRAG_OFFSET: (0,),
}


def _pieces(rules: tuple[Rule, ...]) -> Iterator[Diagnostic]:
    """Stateful rules for pieces of datagrams: what the stage sees is put together."""
    for rule in rules:
        if any(
            not _holds_for_one(condition, WHOLE[condition.field]) for condition in rule.conditions if condition.field in WHOLE
        ):
            message = (
                f"rule {rule.sid} asks for a piece of a datagram, but this stage sees datagrams put together: it never matches"
            )
            yield _warning(rule, Code.PIECES_ONLY, message, "write a stateless rule with `fragment:any`, `first` or `later`")


def _holds_for_one(condition: Condition, values: tuple[int, ...]) -> bool:
    """Whether the condition holds for one of the values."""
    return any(
        any(low <= value & condition.mask <= high for low, high in condition.ranges) is not condition.negated
        for value in values
    )


def _stateful(policy: Policy) -> Iterator[Diagnostic]:
    """IP-only rules in strict order: they decide the whole flow at its first packet, before earlier rules can match."""
    if policy.stateful.order is not Order.STRICT:
        return
    waiting: Rule | None = None  # an earlier rule that matches from an established connection on
    for rule in policy.stateful.rules:
        if rule.flow is not None and rule.flow.established and rule.action is not Action.ALERT:
            waiting = waiting or rule
        elif (
            waiting is not None and rule.type is not RuleType.PACKET and rule.action is not Action.ALERT and not rule.synthetic
        ):
            message = (
                f"rule {rule.sid} asks for addresses and ports alone, so it decides a flow at its first packet,"
                f" before rule {waiting.sid} above it can match"
            )
            yield _warning(rule, Code.SHADOWING_FLOW, message, "add flow:to_server; to judge packet by packet")
