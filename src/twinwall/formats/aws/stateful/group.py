"""Stateful rule groups: three forms of a group's rules, each turned into rule text, checked, and parsed.

`RulesString` is rule text already; `StatefulRules` and `RulesSourceList` are translated (`five_tuple`, `domain_list`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.exports import STATELESS_BODY, Export
from twinwall.formats.aws.findings import Findings
from twinwall.formats.aws.options import AwsOptions
from twinwall.formats.aws.policy_body import ORDERS
from twinwall.formats.aws.stateful.domain_list import generate_rules, read_domain_list
from twinwall.formats.aws.stateful.five_tuple import read_five_tuples
from twinwall.formats.aws.stateful.sheet import RuleSheet, sheet_of_parts, sheet_of_string, sheet_of_translation
from twinwall.formats.aws.stateful.text import GroupParser
from twinwall.formats.aws.stateful.variables import GroupVariables, PolicyNets, read_variables
from twinwall.formats.json.value import Value
from twinwall.policy.model import Action, Order, Rule

BODIES = ("RulesString", "RulesSourceList", "StatefulRules", STATELESS_BODY)
MAX_BYTES = 2_000_000


@dataclass(frozen=True)
class StatefulContext:
    """What the policy says to each of its groups."""

    order: Order
    nets: PolicyNets
    options: AwsOptions


def read_stateful_group(
    export: Export, context: StatefulContext, findings: Findings, *, demote: bool = False
) -> tuple[Rule, ...]:
    """The group's rules as written; `demote` turns what blocks into alerts (a managed group's `Override`)."""
    if export.body is None:
        return ()
    _check_order(export.body, export, context.order, findings)
    variables = read_variables(export.body, context.nets, context.options, findings)
    source = findings.required(export.body, "RulesSource")
    if source is None or not findings.typed(source, dict, "RulesSource"):
        return ()
    rules = _read_source(source, export, variables, context, findings)
    if demote:
        rules = [replace(rule, action=Action.ALERT) if rule.action in (Action.DROP, Action.REJECT) else rule for rule in rules]
    return tuple(rules)


def _check_order(body: Value, export: Export, order: Order, findings: Findings) -> None:
    options = findings.struct(body, "StatefulRuleOptions")
    word = findings.word(options, "RuleOrder", tuple(ORDERS)) if options else None
    if ORDERS[word or "DEFAULT_ACTION_ORDER"] is not order:
        names = {value: key for key, value in ORDERS.items()}
        message = f"the rule group {export.name} has RuleOrder {word or 'DEFAULT_ACTION_ORDER'}, the policy {names[order]}"
        findings.add(Code.ORDER_MISMATCH, options or body, message)


def _read_source(
    source: Value, export: Export, variables: GroupVariables, context: StatefulContext, findings: Findings
) -> Sequence[Rule]:
    members = source.content if isinstance(source.content, dict) else {}
    present = [name for name in BODIES if name in members]
    if len(present) != 1 or present == [STATELESS_BODY]:
        found = ", ".join(present) or "none of the bodies"
        findings.add(Code.SOURCE_BODIES, source, f"the stateful group {export.name} has {found} in RulesSource")
    rules: list[Rule] = []
    parser = GroupParser(export.name, context.order, variables, findings)
    for sheet in (_string(source, export, findings), _parts(source, findings)):
        if sheet is not None:
            rules += parser.read(sheet)
    rules += _domains(source, export, variables, context, findings)
    return rules


def _string(source: Value, export: Export, findings: Findings) -> RuleSheet | None:
    value = findings.member(source, "RulesString")
    if value is None or not findings.typed(value, str, "RulesString"):
        return None
    size = len(str(value.content).encode())
    if size > MAX_BYTES:
        findings.add(Code.RULES_SIZE, value, f"the rules of {export.name} have {size} bytes")
    return sheet_of_string(value)


def _parts(source: Value, findings: Findings) -> RuleSheet | None:
    rules = read_five_tuples(source, findings)
    return sheet_of_parts(rules) if rules else None


def _domains(
    source: Value, export: Export, variables: GroupVariables, context: StatefulContext, findings: Findings
) -> Sequence[Rule]:
    """A domain list's rules.  Where the engine cannot judge their content, one diagnostic stands for all of them."""
    value = findings.struct(source, "RulesSourceList")
    domains = read_domain_list(value, findings) if value is not None else None
    if value is None or domains is None:
        return ()
    sheet = sheet_of_translation(generate_rules(domains, context.order, strict_tail=context.options.domain_list_tail), value)
    trial = Findings()
    rules = GroupParser(export.name, context.order, variables, trial, generated=True).read(sheet)
    if trial.errors or "AWS_ROUTE_53_RESOLVED_DOMAIN" in domains.types:
        findings.unsupported(
            Code.DOMAIN_UNSUPPORTED,
            value,
            f"the rule group {export.name} is a domain list ({domains.kind} of {len(domains.targets)} names); "
            "inspection of content is not supported yet",
        )
        return ()
    for each in trial.diagnostics:
        findings.take(each)
    return rules
