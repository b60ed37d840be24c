"""Why a rule does not match a packet: which of the things that the tables look at it does not accept.

The tables answer for all rules at once and never say why one is missing.  For explanations the rule itself is asked again,
condition by condition; a test holds the answer against the tables.  What a rule asks beyond the tables (flowbits, TTL, …)
the packet path tells the recorder itself (`TraceEvent.TEST_FAILED`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twinwall.compile.contexts import CONTEXT_FIELDS
from twinwall.compile.kinds import KIND_FIELDS
from twinwall.engine.batch import PROTOCOLS, address_text
from twinwall.engine.recorder import Row
from twinwall.engine.vocabulary import flags_word
from twinwall.path.layout import (
    ICMP,
    ICMP6,
    MARK_FRAGMENT,
    MARK_LATER_FRAGMENT,
    MARK_PORTS,
    MARK_REASSEMBLED,
    MARK_TRANSPORT,
    TCP,
)
from twinwall.path.primitives import Pointer
from twinwall.path.residual import field_value, has_field
from twinwall.policy.model import Condition, FlowDirection, PacketField, Rule, RuleType
from twinwall.policy.sets import AddressSet, PortSet

FIELD_WORDS = {
    PacketField.TCP_FLAGS: "TCP flags",
    PacketField.ICMP_TYPE: "ICMP type",
    PacketField.ICMP_CODE: "ICMP code",
    PacketField.ICMP_ID: "ICMP identifier",
    PacketField.ICMP_SEQ: "ICMP sequence number",
    PacketField.TTL: "TTL",
    PacketField.TOS: "TOS",
    PacketField.PAYLOAD_LENGTH: "payload length",
    PacketField.PROTOCOL: "protocol number",
    PacketField.IP_OPTIONS: "IP options",
    PacketField.FRAG_BITS: "fragment bits",
    PacketField.FRAG_OFFSET: "fragment offset",
    PacketField.WINDOW: "TCP window",
    PacketField.SEQ: "sequence number",
    PacketField.ACK: "acknowledgement number",
    PacketField.IP_ID: "IP identification",
    PacketField.SAME_ADDRESS: "equality of the addresses",
    PacketField.FRAGMENT: "place in a fragmented datagram",
    PacketField.INTERFACE: "interface",
    PacketField.IP_VERSION: "IP version",
}
TABLED = KIND_FIELDS | CONTEXT_FIELDS
COLUMNS = {
    PacketField.TCP_FLAGS: "tcp_flags",
    PacketField.ICMP_TYPE: "icmp_type",
    PacketField.ICMP_CODE: "icmp_code",
    PacketField.PROTOCOL: "proto",
    PacketField.INTERFACE: "interface",
    PacketField.IP_VERSION: "version",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """What a rule does not accept: `ends` of addresses, ports and protocol, `rest` of what else the tables look at."""

    ends: tuple[str, ...]
    rest: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.ends or self.rest)

    @property
    def parts(self) -> tuple[str, ...]:
        """Everything that does not fit."""
        return self.ends + self.rest


def misfit(rule: Rule, record: Row, place: int | None) -> Misfit:
    """What of the packet `rule` does not accept; falsy if its header fits.

    `place` is what the flow says of the packet (`TraceEvent.RULES_ASKED`); None in the stateless stage.
    """
    ways = [_ends(rule.source, rule.source_ports, rule.destination, rule.destination_ports, record)]
    if rule.bidirectional:
        ways.append(_ends(rule.destination, rule.destination_ports, rule.source, rule.source_ports, record))
    ends = min(ways, key=len)
    proto = int(record["proto"])
    if rule.protocols is not None and proto not in rule.protocols:
        ends = (f"protocol {PROTOCOLS[proto]}", *ends)
    tabled = [each for each in rule.conditions if each.field in TABLED]
    rest = tuple(failure_words(each, record) for each in tabled if not accepts(each, value_of(record, each.field)))
    return Misfit(ends, (*rest, *(_flow(rule, record, place) if place is not None else ())))


def _ends(source: AddressSet, sports: PortSet, destination: AddressSet, dports: PortSet, record: Row) -> tuple[str, ...]:
    version, ported = int(record["version"]), bool(int(record["marks"]) & MARK_PORTS)
    found: list[str] = []
    for name, side, wanted in (("source", "src", source), ("destination", "dst", destination)):
        high, low = int(record[f"{side}_hi"]), int(record[f"{side}_lo"])
        if not wanted.contains(version, high << 64 | low):
            found.append(f"{name} address {address_text(version, high, low)}")
    for name, column, ports in (("source", "sport", sports), ("destination", "dport", dports)):
        if not ports.is_any and not (ported and ports.contains(int(record[column]))):
            found.append(f"{name} port {int(record[column])}" if ported else f"no {name} port")
    return tuple(found)


def _flow(rule: Rule, record: Row, place: int) -> Iterator[str]:
    """What of the flow's side, state and turn the rule does not accept."""
    side, established, first = place & 1, bool(place & 4), bool(place & 8)
    if rule.type is RuleType.IP_ONLY and not first:
        yield "asked once for each side of a flow, and it was asked before"
    option = rule.flow
    if option is None:
        return
    if option.direction is not None and side != (0 if option.direction is FlowDirection.TO_SERVER else 1):
        yield f"flow is not {'to_server' if option.direction is FlowDirection.TO_SERVER else 'to_client'}"
    if option.established is not None and option.established != established:
        yield "flow is not established" if option.established else "flow is established"
    if option.fragment is not None and option.fragment != bool(int(record["marks"]) & MARK_REASSEMBLED):
        yield "no reassembled datagram" if option.fragment else "a reassembled datagram"
    if option.stream:
        yield "a packet, and the rule wants the reassembled stream"


def value_of(record: Row, field: PacketField) -> int | None:
    """The field's value; None if the packet does not have it."""
    marks, proto = int(record["marks"]), int(record["proto"])
    transport = proto if marks & MARK_TRANSPORT else None
    if field is PacketField.FRAGMENT:
        return 2 if marks & MARK_LATER_FRAGMENT else int(bool(marks & MARK_FRAGMENT))
    if field in COLUMNS:
        needs = {PacketField.TCP_FLAGS: (TCP,), PacketField.ICMP_TYPE: (ICMP, ICMP6), PacketField.ICMP_CODE: (ICMP, ICMP6)}
        return int(record[COLUMNS[field]]) if field not in needs or transport in needs[field] else None
    words = Pointer(bytearray(record.tobytes()))
    return field_value(words, field) if has_field(words, field) else None


def accepts(condition: Condition, value: int | None) -> bool:
    """Whether a condition holds for a value; a field that the packet does not have fails it."""
    if value is None:
        return False
    return any(low <= value & condition.mask <= high for low, high in condition.ranges) != condition.negated


def failure_words(condition: Condition, record: Row) -> str:
    """What the packet has instead of what the condition wants."""
    name, value = FIELD_WORDS[condition.field], value_of(record, condition.field)
    if value is None:
        return f"no {name}"
    if condition.field is PacketField.SAME_ADDRESS:
        return "addresses differ" if not value else "addresses are equal"
    if condition.field is PacketField.FRAGMENT:
        return ("no fragment", "the first piece of a datagram", "a later piece of a datagram")[value]
    if condition.field is PacketField.TCP_FLAGS:
        return f"{name} {flags_word(value)}"
    wanted = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in condition.ranges)
    masked = "" if condition.mask & value == value else f" (of which the rule looks at {condition.mask & value})"
    return f"{name} {value}{masked}, not {'outside ' if condition.negated else ''}{wanted}"
