"""The stateful rules as walks: for each place of a packet in its flow, and each class of packets, a chain of lookups in order.

A walk's lookups are the steps of a plan (`layers`) whose rules are asked in that place; the maps are shared by all places.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from twinwall.policy.model import Policy, RuleType
from twinwall.render import marks
from twinwall.render.chains import Chains
from twinwall.render.contexts import DUE, ESTABLISHED, NO_FLOW, PLACES, SIDES, place_name
from twinwall.render.defaults import Tails
from twinwall.render.elements import Sets, field_text, key_text, line_text, map_text
from twinwall.render.hits import ACTION, SEEN, Hits, action
from twinwall.render.layers import Step
from twinwall.render.marks import RuleAction
from twinwall.render.match import DESTINATION_PORT, asked_fields
from twinwall.render.parts import FAMILIES, Part
from twinwall.render.verdicts import DECIDED_TEST
from twinwall.render.words import action_of, covers_flow


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
        due = self._is_due(parts, place)
        if place & DUE and not place & NO_FLOW and not due:
            return self._place(parts, place ^ DUE)
        learn = [] if place & NO_FLOW else [f"jump learn_{SIDES[place & 1]}{'_due' if due else ''}"]
        targets = self._by_port([(part, self._walk(part, place)) for part in parts], place_name(place))
        return self.chains.share(f"at_{place_name(place)}", [*learn, *self.dispatch(targets)])

    @staticmethod
    def _is_due(parts: Sequence[Part], place: int) -> bool:
        """Whether rules are asked in this place that are asked once."""
        return bool(place & DUE and not place & NO_FLOW) and any(part.asked(place) != part.asked(place ^ DUE) for part in parts)

    def _by_port(self, targets: Sequence[tuple[Part, str]], name: str, *, swapped: bool = False) -> list[tuple[Part, str]]:
        """One target for each class: the parts of its ports are told apart behind it."""
        found: list[tuple[Part, str]] = []
        for _, group in groupby(targets, key=lambda target: (target[0].family, target[0].protocols)):
            *own, (part, rest) = group
            if own:
                pairs = ", ".join(f"{each.port} : goto {target}" for each, target in own)
                port = field_text(DESTINATION_PORT, part.family, swapped=swapped)
                rest = self.chains.share(f"{part.name}_ports_{name}", [f"{port} vmap {{ {pairs} }}", f"goto {rest}"])
            found.append((part, rest))
        return found

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
        due = self._is_due([part], place)
        steps = part.asked(place)
        fast = self._is_fast(part, place)
        lines = [SEEN] if place & DUE and not place & NO_FLOW and not due else []  # no verdict on the flow can come
        for at, step in enumerate(steps):
            behind = [each for each in steps[at + 1 :] if each.guard.effects]
            keep = bool(behind) and any(action_of(word) is RuleAction.PASS for word in part.plan.words_of(step))
            lines += self._step(part, step, self.hits.hit(fast=fast, keep=keep, due=due))
            if keep:
                lines.append(f"{ACTION} == {action(RuleAction.PASS)} goto {self._effects(part, behind, due=due)}")
        tail = self.tails.tail(part.protocols, place, fast=fast, asked=due)
        return self.chains.share(f"{part.name}_{place_name(place)}", [*lines, f"goto {tail}"]) if lines else tail

    def _is_fast(self, part: Part, place: int) -> bool:
        """Whether what decides here decides the later packets of an established flow's direction too."""
        if place & NO_FLOW:
            return False
        later = place & 1 | ESTABLISHED
        steps = part.asked(later)
        if any(step.guard.text or step.guard.gates or step.guard.effects for step in steps):
            return False
        return place == later or (part.asked(place) == steps and self.tails.same(part.protocols, place, later))

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
        key = key_text(asked_fields([unit.box for unit in units], part.family), part.family)
        return f"meta mark set {key} map @{self._map(part, step)} {effects}jump {hit}"

    def _map(self, part: Part, step: Step) -> str:
        key = (part.name, step.places)
        if key not in self._maps:
            name = f"{part.name}_{len(self._maps) + 1}"
            units = part.plan.units_of(step)
            fields = asked_fields([unit.box for unit in units], part.family)
            self._maps[key] = name
            words = (f"{word:#010x}" for word in part.plan.words_of(step))
            self.maps.append(map_text(name, units, fields, part.family, "mark", words))
        return self._maps[key]

    def _effects(self, part: Part, steps: Sequence[Step], *, due: bool) -> str:
        """The rest of a walk that was ended by a pass: rules still set flow bits."""
        lines: list[str] = []
        for step in steps:
            asked = line_text(part.plan.units_of(step)[0], part.family, self.sets)
            lines += self._guarded(step, f"{asked} {step.guard.effects}".strip(), f"{part.name}_effect_body")
        after = [f"goto {self.hits.passed(due=due)}"]
        if self.hits.uses.walks_on:
            after = [*([f"{DECIDED_TEST} {SEEN}"] if due else []), f"{DECIDED_TEST} goto settle", *after]
        return self.chains.share(f"{part.name}_effects", [*lines, *after])

    def asked_before(self, parts: Sequence[Part]) -> str:
        """What the original direction's flow rules say about a flow, asked with a packet of the reply direction."""
        targets = self._by_port([(part, self._swapped(part)) for part in parts], "before", swapped=True)
        return self.chains.add("asked_before", self.dispatch(targets))

    def _swapped(self, part: Part) -> str:
        lines = []
        for step in part.asked(DUE):
            units, words = part.plan.units_of(step), part.plan.words_of(step)
            if step.guard.text or step.guard.gates or not any(word & marks.SCOPE_FLOW for word in words):
                continue
            if step.whole:
                asked = line_text(units[0], part.family, self.sets, swapped=True)
                lines.append(f"{asked} meta mark set {words[0]:#010x} jump hit_before".strip())
            else:
                fields = asked_fields([unit.box for unit in units], part.family)
                lookup = f"{key_text(fields, part.family, swapped=True)} map @{self._map(part, step)}"
                lines.append(f"meta mark set {lookup} jump hit_before")
        return self.chains.share(f"{part.name}_before", lines)


def flow_rules(policy: Policy) -> bool:
    """Whether some rule's verdict covers its flow."""
    return any(covers_flow(rule) for rule in policy.stateful.rules)


def asked_once(policy: Policy) -> bool:
    """Whether some rule is asked once for each direction of a flow."""
    return any(rule.type is RuleType.IP_ONLY for rule in policy.stateful.rules)
