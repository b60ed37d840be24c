"""Protocols that the same rules concern, and that have the same fields, are one class: the walk is rendered once for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinwall.compile.conditions import Accepted, accepted_values
from twinwall.path.layout import ESP, ICMP, ICMP6, SCTP, TCP, UDP, UDPLITE
from twinwall.policy.model import Condition, PacketField, Rule

PORTS = frozenset({TCP, UDP, UDPLITE, SCTP})
APART = (TCP, UDP, UDPLITE, SCTP, ICMP, ICMP6, ESP)  # protocols of which some rule may ask what others do not have
NAMES = {TCP: "tcp", UDP: "udp", UDPLITE: "udplite", SCTP: "sctp", ICMP: "icmp", ICMP6: "icmpv6", ESP: "esp"}


@dataclass(frozen=True, slots=True)
class ProtocolClass:
    """`protocol`: the one protocol of the class if rules ask for what only it has."""

    numbers: frozenset[int]
    name: str
    protocol: int | None
    has_ports: bool
    rules: tuple[int, ...]  # the places of the rules that concern it


def protocol_classes(rules: Sequence[Rule]) -> tuple[ProtocolClass, ...]:
    """The classes, the largest one last."""
    asked = [(rule.protocols, tuple(each for each in rule.conditions if each.field is PacketField.PROTOCOL)) for rule in rules]
    accepts = {each: _accepts(*each) for each in set(asked)}
    table = np.array([accepts[each] for each in asked], np.bool_).reshape(-1, 256)
    groups: dict[tuple[bytes, int], list[int]] = {}
    special = {number for number in APART if _is_special(number, table[:, number], rules)}
    for number in range(256):
        groups.setdefault((np.packbits(table[:, number]).tobytes(), number if number in special else -1), []).append(number)
    found = []
    for (_, alone), numbers in groups.items():
        concerned = tuple(np.flatnonzero(table[:, numbers[0]]).tolist())
        protocol = alone if alone >= 0 else None
        name = NAMES[numbers[0]] if len(numbers) == 1 and numbers[0] in NAMES else f"ip{numbers[0]}"
        found.append(ProtocolClass(frozenset(numbers), name, protocol, protocol in PORTS, concerned))
    return tuple(sorted(found, key=lambda each: (len(each.numbers), min(each.numbers))))


def _accepts(protocols: frozenset[int] | None, conditions: tuple[Condition, ...]) -> Accepted:
    allowed = accepted_values(conditions, PacketField.PROTOCOL, 256)
    if protocols is not None:
        allowed &= np.isin(np.arange(256), list(protocols))
    return allowed


def _is_special(number: int, concerned: Accepted, rules: Sequence[Rule]) -> bool:
    """Whether one of the rules that concern the protocol asks for ports or for a field; TCP, because default actions do."""
    return number == TCP or any(
        rules[place].conditions or not rules[place].source_ports.is_any or not rules[place].destination_ports.is_any
        for place in np.flatnonzero(concerned).tolist()
    )
