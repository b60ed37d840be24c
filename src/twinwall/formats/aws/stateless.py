"""Stateless rule groups: `StatelessRulesAndCustomActions` → rules, by priority.

Within one list of a rule the elements are alternatives; all the lists that are there must match; a list that is absent or
empty asks nothing.  A rule's `sid` is its priority, which is how the service's own analysis names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twinwall.formats.aws.actions import StatelessActions, read_actions, read_custom_actions
from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.exports import STATELESS_BODY, Export
from twinwall.formats.aws.findings import Findings
from twinwall.formats.aws.match import Match, read_match
from twinwall.formats.aws.options import AwsOptions, OtherFragments, Portless
from twinwall.formats.json.value import Value
from twinwall.policy.diagnostic import Span
from twinwall.policy.model import Action, Condition, PacketField, Rule
from twinwall.policy.sets import ANY_ADDRESS, ANY_PORT

TCP, UDP = 6, 17
ALL_PROTOCOLS = frozenset(range(256))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from."""

    group: str
    priority: int
    span: Span


@dataclass(frozen=True, slots=True)
class Variant:
    """A rule's conditions for some of its protocols; None: for any protocol."""

    protocols: frozenset[int] | None
    ports: bool
    flags: bool


def read_stateless_group(export: Export, findings: Findings, options: AwsOptions) -> tuple[Rule, ...]:
    """The group's rules, lowest priority number first."""
    if export.body is None:
        return ()
    for name in ("RuleVariables", "StatefulRuleOptions"):
        extra = findings.member(export.body, name)
        if extra is not None:
            findings.add(Code.STATELESS_EXTRA, extra, f"the stateless group {export.name} has {name}")
    source = _only_source(export, findings)
    if source is None:
        return ()
    custom = read_custom_actions(source, "CustomActions", findings)
    ranked = _read_rules(source, export.name, custom, findings, options)
    return tuple(rule for priority in sorted(ranked) for rule in ranked[priority])


def _only_source(export: Export, findings: Findings) -> Value | None:
    source = findings.required(export.body, "RulesSource") if export.body is not None else None
    if source is None or not findings.typed(source, dict, "RulesSource"):
        return None
    members = source.content if isinstance(source.content, dict) else {}
    others = [name for name in ("RulesString", "RulesSourceList", "StatefulRules") if name in members]
    if others or STATELESS_BODY not in members:
        found = ", ".join(others) or "none of the bodies"
        findings.add(Code.SOURCE_BODIES, source, f"the stateless group {export.name} has {found} in RulesSource")
    return findings.struct(source, STATELESS_BODY)


def _read_rules(
    source: Value, group: str, custom: Mapping[str, str], findings: Findings, options: AwsOptions
) -> dict[int, list[Rule]]:
    ranked: dict[int, list[Rule]] = {}
    taken: set[int | None] = set()
    for entry in findings.items(source, "StatelessRules", dict):
        holder = findings.required(entry, "Priority")
        priority = findings.integer(holder, "Priority", 1, 65535, Code.PRIORITY_RANGE)
        if priority is not None and priority in taken and holder is not None:
            findings.add(Code.PRIORITY_TWICE, holder, f"the priority {priority} stands twice in the group {group}")
        taken.add(priority)
        definition = findings.required(entry, "RuleDefinition")
        if definition is None or not findings.typed(definition, dict, "RuleDefinition"):
            continue
        actions = read_actions(definition, "Actions", custom, findings)
        attributes = findings.required(definition, "MatchAttributes")
        if attributes is None or not findings.typed(attributes, dict, "MatchAttributes"):
            continue
        match = read_match(attributes, findings)
        if priority is None or actions is None or match is None:
            continue
        _warn_portless(attributes, match, priority, findings, options)
        ranked[priority] = build_rules(Source(group, priority, entry.span), match, actions, options)
    return ranked


def _warn_portless(attributes: Value, match: Match, priority: int, findings: Findings, options: AwsOptions) -> None:
    """Say what a port or flag condition means here to protocols without ports or flags."""
    does = "do not match it" if options.portless is Portless.NO_MATCH else "match it by its other conditions"
    protocols = ALL_PROTOCOLS if match.protocols is None else match.protocols
    if match.has_ports and not protocols <= {TCP, UDP}:
        message = f"rule {priority} has ports but is not limited to TCP and UDP; packets of other protocols {does}"
        findings.add(Code.PORTS_WITHOUT_PROTOCOL, attributes, message)
    if match.flag_values is not None and not protocols <= {TCP}:
        message = f"rule {priority} has TCPFlags but is not limited to TCP; packets of other protocols {does}"
        findings.add(Code.FLAGS_WITHOUT_TCP, attributes, message)


def build_rules(source: Source, match: Match, actions: StatelessActions, options: AwsOptions) -> list[Rule]:
    """One rule, or where port and flag conditions are ignored for other protocols one for each kind of protocol."""
    return [_rule(source, match, actions, variant) for variant in _variants(match, options.portless)]


def _variants(match: Match, portless: Portless) -> list[Variant]:
    flagged = match.flag_values is not None
    asked = ALL_PROTOCOLS if match.protocols is None else match.protocols
    if portless is Portless.NO_MATCH:
        fit = {TCP} if flagged else {TCP, UDP} if match.has_ports else None
        protocols = match.protocols if fit is None else asked & fit
        return [Variant(protocols, match.has_ports, flagged)] if protocols != frozenset() else []
    if not flagged and not match.has_ports:
        return [Variant(match.protocols, ports=False, flags=False)]
    groups = (
        Variant(asked & {TCP}, match.has_ports, flagged),
        Variant(asked & {UDP}, match.has_ports, flags=False),
        Variant(asked - {TCP, UDP}, ports=False, flags=False),
    )
    return [variant for variant in groups if variant.protocols]


def _rule(source: Source, match: Match, actions: StatelessActions, variant: Variant) -> Rule:
    conditions: tuple[Condition, ...] = ()
    if variant.flags and match.flag_values is not None:
        conditions = (Condition(PacketField.TCP_FLAGS, match.flag_values, mask=0xFF),)
    return Rule(
        action=actions.action,
        protocols=variant.protocols,
        source=match.source,
        source_ports=match.source_ports if variant.ports else ANY_PORT,
        destination=match.destination,
        destination_ports=match.destination_ports if variant.ports else ANY_PORT,
        sid=source.priority,
        span=source.span,
        text=f"{actions.action.value} {match.words} (priority:{source.priority};)",
        conditions=conditions,
        message=f"{source.group} rule {source.priority}",
        group=source.group,
        metrics=actions.metrics,
    )


def fragment_rules(options: AwsOptions, span: Span) -> tuple[Rule, ...]:
    """The rule before all others that drops fragments of anything but UDP, if the user chose that reading."""
    if options.other_fragments is OtherFragments.UNMATCHED:
        return ()
    rule = Rule(
        action=Action.DROP,
        protocols=ALL_PROTOCOLS - {UDP},
        source=ANY_ADDRESS,
        source_ports=ANY_PORT,
        destination=ANY_ADDRESS,
        destination_ports=ANY_PORT,
        sid=0,
        span=span,
        text="drop every fragment that is not UDP",
        conditions=(Condition(PacketField.FRAGMENT, ((1, 2),)),),
        message="fragments other than UDP",
        synthetic=True,
    )
    return (rule,)
