"""The stateless stage in nftables, second part: rules as verdict maps, in layers, so that the first match decides.

`rules4` and `rules6` judge packets that have a transport header, `bare4` and `bare6` those without, which only rules can match
that ask for nothing in it.  Each sends a packet on by its protocol to a chain of lookups (`layers`); behind the last one the
defaults decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from twinwall.compile.conditions import accepted_values
from twinwall.compile.entries import Entry, entries_of
from twinwall.path.layout import ICMP, ICMP6, TCP, UDP
from twinwall.path.reason import Reason
from twinwall.policy.model import Action, Condition, PacketField, Policy, Rule, StatelessStage
from twinwall.policy.sets import ANY_PORT
from twinwall.render.classes import ProtocolClass, protocol_classes
from twinwall.render.elements import Sets, key_text, line_text, map_text
from twinwall.render.guards import accepted, compared
from twinwall.render.layers import Unit, plan_steps
from twinwall.render.match import Guard, Match, Region, asked_fields, each_once
from twinwall.render.stateless_sound import FIRST, LATER, WHOLE, Chain, counted, is_piece

FAMILIES = (4, 6)
ACTIONS = (Action.PASS, Action.DROP, Action.FORWARD)
HEADER_FIELDS = {  # which byte of the transport header, of which protocols
    PacketField.TCP_FLAGS: ("@th,104,8", (TCP,)),
    PacketField.ICMP_TYPE: ("@th,0,8", (ICMP, ICMP6)),
    PacketField.ICMP_CODE: ("@th,8,8", (ICMP, ICMP6)),
}


@dataclass(frozen=True)
class RuleChains:
    """Declarations of maps and sets, and the chains that look into them."""

    declared: tuple[str, ...]
    chains: tuple[Chain, ...]


def rule_chains(policy: Policy, *, prefix: str = "", outgoing: bool = False) -> RuleChains:
    """Everything from `rules4`, `rules6`, `bare4` and `bare6` to `rule_ACTION` and `say_ACTION`, where a packet ends.

    `prefix` begins all names.  `outgoing`: packets have no incoming interface.
    """
    rendering = _Rendering(policy, prefix, outgoing=outgoing)
    chains = [Chain(f"{prefix}defaults", tuple(_defaults(policy.stateless, prefix)))]
    for family in FAMILIES:
        for bare in (False, True):
            chains += rendering.judge(family, bare=bare)
    return RuleChains((*rendering.sets.text, *rendering.maps.values()), tuple(chains))


def _defaults(stage: StatelessStage, prefix: str) -> Iterator[str]:
    """No rule matched: what the stage says of fragments, and of everything else."""
    other = stage.fragments if stage.other_fragments is None else stage.other_fragments
    piece, reason = is_piece(FIRST, LATER), Reason.STATELESS_FRAGMENT_DEFAULT
    yield f"{piece} meta l4proto {UDP} {counted(stage.fragments, reason)} goto {prefix}say_{stage.fragments.value}"
    yield f"{piece} {counted(other, reason)} goto {prefix}say_{other.value}"
    yield f"{counted(stage.default, Reason.STATELESS_DEFAULT)} goto {prefix}say_{stage.default.value}"


class _Rendering:
    """The rules of one table; equal sets and maps are declared once."""

    def __init__(self, policy: Policy, prefix: str, *, outgoing: bool) -> None:
        self._policy, self._prefix, self._outgoing = policy, prefix, outgoing
        self._entries = entries_of(policy.stateless.rules)
        self.sets = Sets(prefix)
        self._guards: dict[tuple[tuple[Condition, ...], int | None, int], Guard | None] = {}
        self.maps: dict[str, str] = {}  # declarations, by what they say behind the name

    def judge(self, family: int, *, bare: bool) -> Iterator[Chain]:
        """The chain for all packets of a family, and one for each class of protocols that some rule concerns."""
        entries = [each for each in self._entries if not (bare and _asks_header(each))]
        name = f"{self._prefix}{'bare' if bare else 'rules'}{family}"
        defaults = f"{self._prefix}defaults"
        targets = [defaults] * 256
        for protocols in protocol_classes([each.rule for each in entries]):
            lines = tuple(self._lookups(entries, family, protocols))
            if lines:
                chain = Chain(f"{name}_{protocols.name}", (*lines, f"goto {defaults}"))
                yield chain
                for number in protocols.numbers:
                    targets[number] = chain.name
        yield Chain(name, tuple(_dispatch(targets)))

    def _lookups(self, entries: Sequence[Entry], family: int, protocols: ProtocolClass) -> Iterator[str]:
        plan = plan_steps([*self._matches(entries, family, protocols)], family)
        for step in plan.steps:
            units = plan.units_of(step)
            lookup = self._line(units[0], family) if step.whole else self._map(units, family, protocols)
            yield f"{step.guard.text} {lookup}".strip()

    def _line(self, unit: Unit, family: int) -> str:
        return f'{line_text(unit, family, self.sets)} counter {self._target(unit)} comment "sid {unit.match.sid}"'.strip()

    def _target(self, unit: Unit) -> str:
        return f"goto {self._prefix}rule_{ACTIONS[unit.match.word].value}"

    def _map(self, units: Sequence[Unit], family: int, protocols: ProtocolClass) -> str:
        fields = asked_fields([unit.box for unit in units], family)
        name = f"{self._prefix}{protocols.name}{family}_{len(self.maps) + 1}"
        text = map_text(name, units, fields, family, "verdict", map(self._target, units))
        known = self.maps.setdefault(text.partition("\n")[2], text)
        return f"{key_text(fields, family)} vmap @{known.split()[1]}"

    def _matches(self, entries: Sequence[Entry], family: int, protocols: ProtocolClass) -> Iterator[Match]:
        """The entries that concern the class; the way back of a two-way rule without what its way ahead has."""
        return each_once((self._match(entries[place], family, protocols) for place in protocols.rules), family)

    def _match(self, entry: Entry, family: int, protocols: ProtocolClass) -> Match | None:
        """The entry as packets of the class see it; None if none of them can match."""
        if not protocols.has_ports and (entry.source_ports, entry.destination_ports) != (ANY_PORT, ANY_PORT):
            return None
        region = _region(entry, family)
        if not all(region):
            return None
        key = (entry.rule.conditions, protocols.protocol, family)
        if key not in self._guards:
            self._guards[key] = self._guard(entry.rule, protocols, family)
        guard = self._guards[key]
        if guard is None:
            return None
        return Match(entry.index, entry.rule.sid, ACTIONS.index(entry.rule.action), region, guard=guard)

    def _guard(self, rule: Rule, protocols: ProtocolClass, family: int) -> Guard | None:
        """What the rule asks beside addresses and ports; None if no packet of the class has it."""
        if not accepted_values(rule.conditions, PacketField.IP_VERSION, 7)[family]:
            return None
        texts = [_piece(rule.conditions), self._interface(rule.conditions)]
        for field in sorted({each.field for each in rule.conditions} & HEADER_FIELDS.keys()):
            place, owners = HEADER_FIELDS[field]
            values = accepted(rule, field, 8)
            texts.append(" ".join(compared(place, values, 8)) if values and protocols.protocol in owners else None)
        found = [each for each in texts if each]
        return None if None in texts else Guard(" ".join(found))

    def _interface(self, conditions: Iterable[Condition]) -> str | None:
        """The incoming interface; one that no rule names has number 0, and so does what the machine itself sends."""
        known = accepted_values(conditions, PacketField.INTERFACE, len(self._policy.interfaces) + 1)
        if known.all():
            return ""
        others = bool(known[0])
        if self._outgoing:
            return "" if others else None
        pairs = zip(self._policy.interfaces, known[1:], strict=True)
        names = ", ".join(f'"{name}"' for name, inside in pairs if bool(inside) != others)
        if not names:
            return None
        return f"iifname {'!= ' if others else ''}{{ {names} }}"


def _asks_header(entry: Entry) -> bool:
    """Whether the entry asks for something that is in the transport header."""
    ports = (entry.source_ports, entry.destination_ports) != (ANY_PORT, ANY_PORT)
    return ports or any(each.field in HEADER_FIELDS for each in entry.rule.conditions)


def _region(entry: Entry, family: int) -> Region:
    addresses = [each.v4 if family == 4 else each.v6 for each in (entry.source, entry.destination)]
    return (addresses[0], addresses[1], entry.source_ports.ranges, entry.destination_ports.ranges)


def _piece(conditions: Iterable[Condition]) -> str | None:
    inside = accepted_values(conditions, PacketField.FRAGMENT, LATER + 1)
    pieces = [piece for piece in (WHOLE, FIRST, LATER) if inside[piece]]
    if not pieces:
        return None
    return "" if len(pieces) == LATER + 1 else is_piece(*pieces)


def _dispatch(targets: Sequence[str]) -> Iterator[str]:
    """Send a packet on by its protocol, of which each has its target; where most go is the rest."""
    ((rest, _),) = Counter(targets).most_common(1)
    pairs = ", ".join(f"{number} : goto {name}" for number, name in enumerate(targets) if name != rest)
    if pairs:
        yield f"meta l4proto vmap {{ {pairs} }}"
    yield f"goto {rest}"
