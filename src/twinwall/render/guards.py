"""What rules ask beside addresses, ports and protocol, as nftables expressions; and by name what nftables cannot say.

A packet that does not have the field a condition asks for fails it, negated or not.  In a class of packets (`classes`) it is
known which fields there are, so that is decided here: `NEVER` is the answer for a rule that no packet of the class can match.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from twinwall.compile.conditions import accepted_values
from twinwall.path.layout import ESP, ICMP, ICMP6, SCTP, TCP
from twinwall.policy.model import Condition, FlowbitKind, Mode, PacketField, Policy, Rule
from twinwall.policy.sets import Intervals, complement, intersect, normalise
from twinwall.render.match import NO_GUARD, Gate, Guard
from twinwall.render.payload import BeyondReachError, payload_gates
from twinwall.render.unsupported import Unsupported

MOST_LABELS = 128  # of one connection in Linux
IP_OPTIONS = {1: "ip option rr exists", 64: "ip option lsrr exists", 128: "ip option ssrr exists", 0x3FF: "ip hdrlength > 5"}
QUERIES = {ICMP: "{ 0, 8, 13-18 }", ICMP6: "{ 128-129 }"}
PRESENT = ((0, 0),)


class Never(Enum):
    """No packet of the class can match."""

    NEVER = 0


NEVER = Never.NEVER


@dataclass(frozen=True, slots=True)
class Field:
    """Where nftables finds a field: of which protocols, of which family (None: both), how wide."""

    expression: str
    bits: int
    protocol: int | None = None
    family: int | None = None


FIELDS = {
    PacketField.TCP_FLAGS: (Field("@th,104,8", 8, TCP),),
    PacketField.WINDOW: (Field("tcp window", 16, TCP),),
    PacketField.SEQ: (Field("tcp sequence", 32, TCP),),
    PacketField.ACK: (Field("tcp ackseq", 32, TCP),),
    PacketField.ICMP_TYPE: (Field("@th,0,8", 8, ICMP), Field("@th,0,8", 8, ICMP6)),
    PacketField.ICMP_CODE: (Field("@th,8,8", 8, ICMP), Field("@th,8,8", 8, ICMP6)),
    PacketField.ICMP_ID: (
        Field(f"@th,0,8 {QUERIES[ICMP]} @th,32,16", 16, ICMP),
        Field(f"@th,0,8 {QUERIES[ICMP6]} @th,32,16", 16, ICMP6),
    ),
    PacketField.ICMP_SEQ: (
        Field(f"@th,0,8 {QUERIES[ICMP]} @th,48,16", 16, ICMP),
        Field(f"@th,0,8 {QUERIES[ICMP6]} @th,48,16", 16, ICMP6),
    ),
    PacketField.TTL: (Field("ip ttl", 8, family=4), Field("ip6 hoplimit", 8, family=6)),
    PacketField.TOS: (Field("@nh,8,8", 8, family=4),),
    PacketField.IP_ID: (Field("ip id", 16, family=4),),
    PacketField.FRAG_BITS: (Field("@nh,48,16 & 0xe000", 16, family=4),),
    PacketField.FRAG_OFFSET: (Field("@nh,48,16 & 0x1fff", 13, family=4), Field("frag frag-off", 13, family=6)),
}
# Decided where the rule is read: by the class, or because packets are whole again when the stateful stage sees them.
STATIC = {PacketField.PROTOCOL, PacketField.IP_VERSION, PacketField.FRAGMENT}
APART = {PacketField.INTERFACE, PacketField.IP_OPTIONS, PacketField.PAYLOAD_LENGTH, PacketField.SAME_ADDRESS}


def guard_of(rule: Rule, policy: Policy, family: int, protocol: int | None) -> Guard | Never:
    """What `rule` asks of packets of `family` whose protocol is `protocol` (None: none of those with fields of their own)."""
    if not rule.conditions and not rule.flowbits:
        return NO_GUARD
    asked = {condition.field for condition in rule.conditions}
    if asked & STATIC and not _static(rule, family):
        return NEVER
    texts: list[str] = []
    gates: list[Gate] = []
    for field in sorted(asked - STATIC - APART):
        where = [each for each in FIELDS[field] if each.protocol in (None, protocol) and each.family in (None, family)]
        values = accepted(rule, field, where[0].bits) if where else ()
        if field is PacketField.TTL and policy.attach is not None and policy.attach.mode is Mode.GATEWAY:
            values = _one_less(values)
        if not values:
            return NEVER
        texts += compared(where[0].expression, values, where[0].bits)
    for part in (_options(rule, family), _interfaces(rule, policy)):
        if part is NEVER:
            return NEVER
        texts += part
    if PacketField.PAYLOAD_LENGTH in asked:
        lengths = payload_gates(accepted(rule, PacketField.PAYLOAD_LENGTH, 16), family, protocol)
        if lengths is None:
            return NEVER
        gates += lengths
    texts += _bits(rule, policy)
    gates += _tests(rule, policy)
    return Guard(" ".join(texts), tuple(gates), _effects(rule, policy))


def _static(rule: Rule, family: int) -> bool:
    fragment = accepted_values(rule.conditions, PacketField.FRAGMENT, 3)
    return bool(accepted_values(rule.conditions, PacketField.IP_VERSION, 7)[family] and fragment[0])


def accepted(rule: Rule, field: PacketField, bits: int) -> Intervals:
    """The values of a field that all conditions of the rule accept."""
    mine = [condition for condition in rule.conditions if condition.field is field]
    if bits <= 16:
        inside = accepted_values(mine, field, 1 << bits)
        edges = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
        return tuple((int(start), int(stop) - 1) for start, stop in edges)
    top = (1 << bits) - 1
    values: Intervals = ((0, top),)
    for condition in mine:
        inner = normalise(condition.ranges)
        values = intersect(values, complement(inner, top) if condition.negated else inner)
    return values


def _one_less(values: Intervals) -> Intervals:
    """A gateway has counted its own hop when its forward hook is asked."""
    return tuple((max(low - 1, 0), high - 1) for low, high in values if high)


def compared(expression: str, values: Intervals, bits: int) -> list[str]:
    """`expression` compared with values; nothing if it may be anything."""
    if (
        values[0][0] == 0
        and values[-1][1] >= (1 << bits) - 1
        and len(values) == 1
        and "{" not in expression
        and not expression.startswith("frag")
    ):
        return []
    texts = [str(low) if low == high else f"{low}-{high}" for low, high in values]
    return [f"{expression} {texts[0]}" if len(texts) == 1 else f"{expression} {{ {', '.join(texts)} }}"]


def _options(rule: Rule, family: int) -> list[str] | Never:
    asked = [condition for condition in rule.conditions if condition.field is PacketField.IP_OPTIONS]
    if asked and family != 4:
        return NEVER
    return [IP_OPTIONS[condition.mask] for condition in asked]


def _interfaces(rule: Rule, policy: Policy) -> list[str] | Never:
    asked = [condition for condition in rule.conditions if condition.field is PacketField.INTERFACE]
    if not asked:
        return []
    known = accepted_values(asked, PacketField.INTERFACE, len(policy.interfaces) + 1)
    names = [f'"{name}"' for name, inside in zip(policy.interfaces, known[1:], strict=True) if bool(inside) != bool(known[0])]
    if known[0]:  # every other interface too
        return [f"iifname != {{ {', '.join(names)} }}"] if names else []
    return [f"iifname {{ {', '.join(names)} }}"] if names else NEVER


def _bits(rule: Rule, policy: Policy) -> Iterator[str]:
    """Bits that must be set, each by itself: no gate, because chains may lead on to no more than 16 (a limit of nftables)."""
    for option in rule.flowbits:
        if option.kind is FlowbitKind.ISSET and len(option.names) == 1:
            yield f"ct label {policy.flowbits.index(option.names[0])}"


def _tests(rule: Rule, policy: Policy) -> Iterator[Gate]:
    """A packet of no flow has no bits: `ct label` fails for it, so it passes `isnotset`."""
    for option in rule.flowbits:
        numbers = [policy.flowbits.index(name) for name in option.names]
        if option.kind is FlowbitKind.ISSET and len(option.names) > 1:
            yield tuple(f"ct label {number} goto {{next}}" for number in numbers)
        elif option.kind is FlowbitKind.ISNOTSET:
            yield (" ".join(f"ct label {number}" for number in numbers) + " return", "goto {next}")


def _effects(rule: Rule, policy: Policy) -> str:
    numbers = [policy.flowbits.index(name) for each in rule.flowbits if each.kind is FlowbitKind.SET for name in each.names]
    return " ".join(f"ct label set {number}" for number in numbers)


def unsupported_rule(rule: Rule, policy: Policy) -> Iterator[Unsupported]:
    """What of a stateful rule nftables cannot say."""
    for what, remedy in _missing(rule, policy):
        yield Unsupported(what, remedy, rule.sid, rule.span)


def _missing(rule: Rule, policy: Policy) -> Iterator[tuple[str, str]]:
    for condition in rule.conditions:
        yield from _missing_field(condition, policy)
    if rule.flow is not None and rule.flow.fragment is not None:
        yield "nftables cannot tell whether a packet came in pieces", "leave out only_frag and no_frag"
    if not _reaches(rule):
        yield (
            "behind IPv6 extension headers nftables cannot tell a payload of more than 256 bytes",
            "ask for at most 240 bytes, or for IPv4 only",
        )
    for option in rule.flowbits:
        if option.kind in (FlowbitKind.UNSET, FlowbitKind.TOGGLE):
            yield f"nftables cannot {option.kind.value} a flow's bit, only set it", "use a second bit that says the opposite"
    if any(policy.flowbits.index(name) >= MOST_LABELS for option in rule.flowbits for name in option.names):
        yield f"more than {MOST_LABELS} flow bits; Linux has no more labels on a connection", "use fewer names in flowbits"


def _missing_field(condition: Condition, policy: Policy) -> Iterator[tuple[str, str]]:
    field = condition.field
    if field is PacketField.SAME_ADDRESS:
        yield "nftables cannot compare a packet's two addresses", "Linux drops such packets of its own; leave the rule out"
    elif field is PacketField.IP_OPTIONS:
        if condition.mask not in IP_OPTIONS or condition.ranges != PRESENT or not condition.negated:
            yield "nftables does not know this IP option", "it knows rr, lsrr, ssrr, and any"
    elif field is PacketField.INTERFACE:
        if policy.attach is not None and policy.attach.mode is Mode.BRIDGE:
            yield "behind a bridge, the stateful stage does not see a packet's port", "ask for addresses instead"
    elif field in (PacketField.SEQ, PacketField.ACK) and condition.mask != 0xFFFFFFFF:
        yield "nftables compares sequence numbers as a whole", "ask for one value"


def _reaches(rule: Rule) -> bool:
    """Whether nftables can ask for the payload lengths that `rule` asks for, in every family and protocol of the rule."""
    if all(each.field is not PacketField.PAYLOAD_LENGTH for each in rule.conditions):
        return True
    lengths = accepted(rule, PacketField.PAYLOAD_LENGTH, 16)
    if not (rule.source.v6 and rule.destination.v6):
        return True
    try:
        for protocol in (TCP, SCTP, ICMP, ICMP6, ESP):
            if rule.protocols is None or protocol in rule.protocols:
                payload_gates(lengths, 6, protocol)
    except BeyondReachError:
        return False
    return True
