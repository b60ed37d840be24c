"""Contexts: what a rule may ask of any packet whatever its protocol, and of the packet's place in its flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.conditions import Accepted, accepted_values, intervals_of
from twinwall.compile.entries import Entry
from twinwall.compile.rows import RowPool
from twinwall.policy.model import Condition, FlowDirection, FlowOption, PacketField, Rule, RuleType

CONTEXT_FIELDS = frozenset({PacketField.FRAGMENT, PacketField.INTERFACE, PacketField.IP_VERSION})
CONTEXTS = 4096  # interface:8 reassembled:1 IPv6:1 fragment:2
FLOWS = 16  # first of its direction:1 established:1 direction:2


def compile_contexts(entries: Sequence[Entry], pool: RowPool) -> NDArray[np.uint32]:
    """4,096 row numbers: fragment, IP version, whether put together from fragments, interface."""
    numbers: dict[tuple[tuple[Condition, ...], bool | None], int] = {}
    which = []
    for entry in entries:
        asked = tuple(each for each in entry.rule.conditions if each.field in CONTEXT_FIELDS)
        fragment = None if entry.rule.flow is None else entry.rule.flow.fragment
        which.append(numbers.setdefault((asked, fragment), len(numbers)))
    return pool.add(CONTEXTS, intervals_of(which, [_context(*each) for each in numbers]))


def _context(conditions: tuple[Condition, ...], fragment: bool | None) -> Accepted:
    place = np.arange(CONTEXTS)
    piece = np.array([0, 1, 2, 2])[place & 3]  # a later piece has both marks
    accepted: Accepted = accepted_values(conditions, PacketField.FRAGMENT, 3)[piece]
    accepted &= accepted_values(conditions, PacketField.IP_VERSION, 7)[np.where(place & 4, 6, 4)]
    accepted &= accepted_values(conditions, PacketField.INTERFACE, 256)[place >> 4]
    if fragment is not None:
        accepted &= (place & 8 != 0) == fragment
    return accepted


def asks_context(entry: Entry) -> bool:
    """Whether the rule asks for fragment, IP version or interface."""
    fragment = entry.rule.flow is not None and entry.rule.flow.fragment is not None
    return fragment or any(each.field in CONTEXT_FIELDS for each in entry.rule.conditions)


def flow_bits(rule: Rule) -> int:
    """CHECK_FLOW of a rule: direction (+ 2: the packet has no flow), established, whether IP-only rules are due."""
    accepted = _flow(rule.flow, rule.type is RuleType.IP_ONLY)
    return int(np.packbits(accepted, bitorder="little").view(np.uint16)[0])


def _flow(option: FlowOption | None, ip_only: bool) -> Accepted:
    place = np.arange(FLOWS)
    direction, established, due = place & 3, place & 4 != 0, place & 8 != 0
    accepted = due.copy() if ip_only else np.ones(FLOWS, np.bool_)
    if option is None:
        return accepted
    if option.direction is not None:
        accepted &= direction & 1 == (0 if option.direction is FlowDirection.TO_SERVER else 1)
    if option.established is not None:
        accepted &= established == option.established
    if option.stream:  # only_stream: what is judged here are packets, never a reassembled stream
        accepted[:] = False
    return accepted
