"""The stateful rules as walks: for each place of a packet in its flow, and each class of packets, a chain of lookups in order.

A walk's lookups are the steps of a plan (`layers`) whose rules are asked in that place; the maps are shared by all places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twinwall.compile.contexts import flow_bits
from twinwall.compile.entries import Entry, entries_of
from twinwall.policy.model import FlowOption, Policy, Rule, RuleType
from twinwall.policy.sets import ANY_PORT, Intervals
from twinwall.render import marks
from twinwall.render.chains import Chains
from twinwall.render.classes import ProtocolClass, protocol_classes
from twinwall.render.contexts import DUE, ESTABLISHED, EVERY_PLACE, NO_FLOW, PLACES, SIDES, place_name
from twinwall.render.defaults import Tails
from twinwall.render.elements import Sets, key_text, line_text, map_text
from twinwall.render.guards import NEVER, guard_of
from twinwall.render.hits import ACTION, Hits, action
from twinwall.render.layers import Plan, Step, plan_steps
from twinwall.render.marks import RuleAction
from twinwall.render.match import Match, Region, asked_fields, without
from twinwall.render.words import action_of, covers_flow, with_hindsight, word_of

FAMILIES = {4: "ipv4", 6: "ipv6"}


@dataclass(frozen=True)
class Part:
    """The rules as one class of packets of one family sees them."""

    family: int
    protocols: ProtocolClass
    plan: Plan

    @property
    def name(self) -> str:
        """For maps and chains."""
        return f"{self.protocols.name}{self.family}"


def plan_parts(policy: Policy) -> tuple[Part, ...]:
    """Every family and class with its plan."""
    entries = entries_of(policy.stateful.rules)
    places = _Places()
    classes = protocol_classes([entry.rule for entry in entries])
    return tuple(
        Part(family, each, with_hindsight(plan_steps([*_matches(policy, entries, places, family, each)], family)))
        for family in FAMILIES
        for each in classes
    )


class _Places(dict[tuple[FlowOption | None, RuleType], int]):
    """The places that rules are asked in, one bit each; few rules differ in that."""

    def of(self, rule: Rule) -> int:
        """The bits of a rule."""
        key = (rule.flow, rule.type)
        if key not in self:
            self[key] = flow_bits(rule) & EVERY_PLACE
        return self[key]


def _matches(
    policy: Policy, entries: Sequence[Entry], places: _Places, family: int, protocols: ProtocolClass
) -> Iterator[Match]:
    ahead: Match | None = None
    for at in protocols.rules:
        entry = entries[at]
        match = _match(policy, entry, places.of(entry.rule), family, protocols)
        if match is None:
            continue
        if ahead is not None and ahead.place == match.place:
            yield from without(match, ahead.region, family)
        else:
            yield match
        ahead = match


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


class Walks:
    """Renders the walks of all places; `maps` and `sets` hold the declarations."""

    def __init__(self, chains: Chains, hits: Hits, tails: Tails) -> None:
        self.chains, self.hits, self.tails = chains, hits, tails
        self.sets = Sets()
        self.maps: list[str] = []
        self._maps: dict[tuple[str, tuple[int, ...]], str] = {}

    def render(self, parts: Sequence[Part]) -> dict[int, str]:
        """The walk of every place, by its name."""
        return {place: self._place(parts, place) for place in PLACES}

    def _place(self, parts: Sequence[Part], place: int) -> str:
        learn = [] if place & NO_FLOW else [f"jump learn_{SIDES[place & 1]}"]
        targets = [(part, self._walk(part, place)) for part in parts]
        return self.chains.share(f"at_{place_name(place)}", [*learn, *self.dispatch(targets)])

    def dispatch(self, targets: Sequence[tuple[Part, str]]) -> list[str]:
        """Lines that send a packet to the target of its family and protocol.  The last class of a family is the rest."""
        rest = {part.family: name for part, name in targets}
        pairs = [
            f"{FAMILIES[part.family]} . {number} : goto {name}"
            for part, name in targets
            if name != rest[part.family]
            for number in sorted(part.protocols.numbers)
        ]
        lines = [f"meta nfproto . meta l4proto vmap {{ {', '.join(pairs)} }}"] if pairs else []
        if len(set(rest.values())) > 1:
            lines.append(f"meta nfproto ipv4 goto {rest[4]}")
        return [*lines, f"goto {rest[6]}"]

    def _walk(self, part: Part, place: int) -> str:
        steps = _asked(part.plan, place)
        fast = self._is_fast(part, place)
        lines: list[str] = []
        for at, step in enumerate(steps):
            behind = [each for each in steps[at + 1 :] if each.guard.effects]
            keep = bool(behind) and any(action_of(word) is RuleAction.PASS for word in part.plan.words_of(step))
            lines += self._step(part, step, self.hits.hit(fast=fast, keep=keep))
            if keep:
                lines.append(f"{ACTION} == {action(RuleAction.PASS)} goto {self._effects(part, behind)}")
        tail = self.tails.tail(part.protocols, place, fast=fast)
        return self.chains.share(f"{part.name}_{place_name(place)}", [*lines, f"goto {tail}"]) if lines else tail

    def _is_fast(self, part: Part, place: int) -> bool:
        """Whether what decides here decides the later packets of an established flow's direction too."""
        if place & NO_FLOW:
            return False
        later = place & 1 | ESTABLISHED
        steps = _asked(part.plan, later)
        if any(step.guard.text or step.guard.gates or step.guard.effects for step in steps):
            return False
        return place == later or (_asked(part.plan, place) == steps and self.tails.same(part.protocols, place, later))

    def _step(self, part: Part, step: Step, hit: str) -> list[str]:
        return self._guarded(step, self._lookup(part, step, hit), f"{part.name}_body")

    def _guarded(self, step: Step, line: str, name: str) -> list[str]:
        """A line behind its guard: inline, or at the end of a chain of gates."""
        line = f"{step.guard.text} {line}".strip()
        if not step.guard.gates:
            return [line]
        following = self.chains.share(name, [line])
        for gate in reversed(step.guard.gates):
            following = self.chains.share(name.replace("body", "gate"), [each.replace("{next}", following) for each in gate])
        return [f"jump {following}"]

    def _lookup(self, part: Part, step: Step, hit: str) -> str:
        effects = f"{step.guard.effects} " if step.guard.effects else ""
        units = part.plan.units_of(step)
        if step.whole:
            asked, word = line_text(units[0], part.family, self.sets), part.plan.words_of(step)[0]
            comment = f'comment "sid {units[0].match.sid}"'
            return f"{asked} counter meta mark set {word:#010x} {effects}jump {hit} {comment}".strip()
        key = key_text(asked_fields((unit.box for unit in units), part.family), part.family)
        return f"meta mark set {key} map @{self._map(part, step)} {effects}jump {hit}"

    def _map(self, part: Part, step: Step) -> str:
        key = (part.name, step.places)
        if key not in self._maps:
            name = f"{part.name}_{len(self._maps) + 1}"
            units = part.plan.units_of(step)
            fields = asked_fields((unit.box for unit in units), part.family)
            self._maps[key] = name
            words = (f"{word:#010x}" for word in part.plan.words_of(step))
            self.maps.append(map_text(name, units, fields, part.family, "mark", words))
        return self._maps[key]

    def _effects(self, part: Part, steps: Sequence[Step]) -> str:
        """The rest of a walk that was ended by a pass: rules still set flow bits."""
        lines: list[str] = []
        for step in steps:
            asked = line_text(part.plan.units_of(step)[0], part.family, self.sets)
            lines += self._guarded(step, f"{asked} {step.guard.effects}".strip(), f"{part.name}_effect_body")
        after = [f"goto {self.hits.passed()}"]
        if self.hits.uses.walks_on:
            after.insert(0, "meta priority & 0xffff0000 == 0x77170000 goto settle")
        return self.chains.share(f"{part.name}_effects", [*lines, *after])

    def asked_before(self, parts: Sequence[Part]) -> str:
        """What the original direction's flow rules say about a flow, asked with a packet of the reply direction."""
        targets = [(part, self._swapped(part)) for part in parts]
        return self.chains.add("asked_before", self.dispatch(targets))

    def _swapped(self, part: Part) -> str:
        lines = []
        for step in _asked(part.plan, DUE):
            units, words = part.plan.units_of(step), part.plan.words_of(step)
            if step.guard.text or step.guard.gates or not any(word & marks.SCOPE_FLOW for word in words):
                continue
            if step.whole:
                asked = line_text(units[0], part.family, self.sets, swapped=True)
                lines.append(f"{asked} meta mark set {words[0]:#010x} jump hit_before".strip())
            else:
                fields = asked_fields((unit.box for unit in units), part.family)
                lookup = f"{key_text(fields, part.family, swapped=True)} map @{self._map(part, step)}"
                lines.append(f"meta mark set {lookup} jump hit_before")
        return self.chains.share(f"{part.name}_before", lines)


def _asked(plan: Plan, place: int) -> list[Step]:
    return [step for step in plan.steps if step.contexts >> place & 1]


def flow_rules(policy: Policy) -> bool:
    """Whether some rule's verdict covers its flow."""
    return any(covers_flow(rule) for rule in policy.stateful.rules)
