"""The rules in parts: by the IP version, by classes of protocols, and by destination ports where that makes walks shorter.

A part is planned by itself (`layers`).  Rules for different ports never meet, but each meets the rules for any port, and in a
long list these chain everything together.  So where a walk would be long, each port that many rules name gets a part of its
own, with the rules that concern it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from twinwall.compile.contexts import flow_bits
from twinwall.compile.entries import Entry, entries_of
from twinwall.policy.model import FlowOption, Policy, Rule, RuleType
from twinwall.policy.sets import ANY_PORT, TOP_PORT, Intervals, complement, intersect, normalise
from twinwall.render.classes import ProtocolClass, protocol_classes
from twinwall.render.contexts import EVERY_PLACE, PLACES
from twinwall.render.guards import NEVER, guard_of
from twinwall.render.layers import Plan, Step, plan_steps
from twinwall.render.match import DESTINATION_PORT, Match, Region, each_once
from twinwall.render.words import with_hindsight, word_of

FAMILIES = {4: "ipv4", 6: "ipv6"}
LONG_WALK = 32  # lookups; a longer walk is worth more elements
NAMED_OFTEN = 8  # so many rules must name a port
MOST_PORTS = 64
MOST_GROWTH = 4  # times as many elements


@dataclass(frozen=True)
class Part:
    """The rules as one class of packets of one family sees them; `port`: of packets to this port, None: to all others."""

    family: int
    protocols: ProtocolClass
    plan: Plan
    port: int | None = None

    @property
    def name(self) -> str:
        """For maps and chains."""
        return f"{self.protocols.name}{self.family}" + ("" if self.port is None else f"_port{self.port}")

    def asked(self, place: int) -> list[Step]:
        """The steps of the packets in that place of their flow."""
        return [step for step in self.plan.steps if step.contexts >> place & 1]

    @property
    def longest(self) -> int:
        """The lookups of the longest walk."""
        return max(len(self.asked(place)) for place in PLACES)


def plan_parts(policy: Policy) -> tuple[Part, ...]:
    """Every family, class and port with its plan; the parts of one class stand together, the rest of its ports last."""
    entries = entries_of(policy.stateful.rules)
    places = _Places()
    found: list[Part] = []
    for family in FAMILIES:
        for each in protocol_classes([entry.rule for entry in entries]):
            found += _parts([*_matches(policy, entries, places, family, each)], family, each)
    return tuple(found)


def _parts(matches: Sequence[Match], family: int, protocols: ProtocolClass) -> list[Part]:
    whole = _part(matches, family, protocols)
    if not protocols.has_ports or whole.longest <= LONG_WALK:
        return [whole]
    named = Counter(ports[0][0] for match in matches if (ports := match.region[DESTINATION_PORT])[0][0] == ports[-1][1])
    own = sorted(port for port, count in named.most_common(MOST_PORTS) if count >= NAMED_OFTEN)
    others = complement(normalise((port, port) for port in own), TOP_PORT)
    parts = [_part(_within(matches, ((port, port),)), family, protocols, port) for port in own]
    parts.append(_part(_within(matches, others), family, protocols))
    grown = sum(len(part.plan.units) for part in parts)
    if max(part.longest for part in parts) >= whole.longest or grown > MOST_GROWTH * len(whole.plan.units):
        return [whole]
    return parts


def _part(matches: Sequence[Match], family: int, protocols: ProtocolClass, port: int | None = None) -> Part:
    return Part(family, protocols, with_hindsight(plan_steps(matches, family)), port)


def _within(matches: Sequence[Match], ports: Intervals) -> list[Match]:
    """What the matches ask of packets to these ports; where they ask for all of them, nothing of the port."""
    found = []
    for match in matches:
        asked = match.region[DESTINATION_PORT]
        common = intersect(asked, ports)
        if common:
            kept = ANY_PORT.ranges if common == ports else common
            found.append(replace(match, region=(*match.region[:DESTINATION_PORT], kept)))  # type: ignore[arg-type] # of four
    return found


class _Places(dict[tuple[FlowOption | None, RuleType], int]):
    """The places that rules are asked in, one bit each; few rules differ in that."""

    def of(self, rule: Rule) -> int:
        """The bits of a rule."""
        key = (rule.flow, rule.type)
        found = self.get(key)
        if found is None:
            found = self[key] = flow_bits(rule) & EVERY_PLACE
        return found


def _matches(
    policy: Policy, entries: Sequence[Entry], places: _Places, family: int, protocols: ProtocolClass
) -> Iterator[Match]:
    found = (_match(policy, entries[at], places.of(entries[at].rule), family, protocols) for at in protocols.rules)
    return each_once(found, family)


def _match(policy: Policy, entry: Entry, contexts: int, family: int, protocols: ProtocolClass) -> Match | None:
    ports = (entry.source_ports, entry.destination_ports)
    if not protocols.has_ports and ports != (ANY_PORT, ANY_PORT):
        return None
    region = _region(entry, family)
    if not contexts or not all(region):
        return None
    guard = guard_of(entry.rule, policy, family, protocols.protocol)
    if guard is NEVER:
        return None
    word = word_of(entry.rule, entry.index)
    return Match(entry.index, entry.rule.sid, word, region, contexts, guard, whole=bool(guard.effects))


def _region(entry: Entry, family: int) -> Region:
    sides: list[Intervals] = [each.v4 if family == 4 else each.v6 for each in (entry.source, entry.destination)]
    return (sides[0], sides[1], entry.source_ports.ranges, entry.destination_ports.ranges)
