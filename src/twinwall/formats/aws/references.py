"""The policy's references to rule groups: their rules, and the files they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twinwall.formats.aws.arn import Arn, parse_arn
from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.exports import Export, Exports
from twinwall.formats.aws.findings import Findings
from twinwall.formats.json.value import Value
from twinwall.policy.model import Order

MAX_REFERENCES = 20
MAX_CAPACITY = 30_000
DESCRIBE = "run `aws network-firewall describe-rule-group --rule-group-arn {arn} --output json > {name}.json` and give the file"


@dataclass(frozen=True, eq=False)
class Reference:
    """One element of a policy's list of rule groups.  `demote`: its drops become alerts (`Override`)."""

    value: Value
    arn_text: str
    arn: Arn | None
    stateless: bool
    priority: int | None = None
    demote: bool = False

    @property
    def name(self) -> str:
        """The rule group's name."""
        return self.arn_text.rpartition("/")[2]


def read_references(policy: Value, member: str, order: Order | None, region: str, findings: Findings) -> tuple[Reference, ...]:
    """A list of references by priority, and every check that needs only the policy.  `order`: None for stateless groups."""
    references = [_reference(item, order, findings) for item in findings.items(policy, member, dict)]
    found = [reference for reference in references if reference is not None]
    if len(references) > MAX_REFERENCES:
        findings.add(
            Code.TOO_MANY_REFERENCES, found[-1].value if found else policy, f"{len(references)} rule groups in {member}"
        )
    _check_unique(found, findings)
    for reference in found:
        _check_arn(reference, region or next((each.arn.region for each in found if each.arn), ""), findings)
    return tuple(sorted(found, key=lambda reference: reference.priority or 0))


def _reference(item: Value, order: Order | None, findings: Findings) -> Reference | None:
    holder = findings.required(item, "ResourceArn")
    priority_value = findings.member(item, "Priority")
    if priority_value is None and order is not Order.ACTION:
        findings.add(Code.PRIORITY_MISSING, item, "a reference without Priority")
    if priority_value is not None and order is Order.ACTION:
        findings.add(
            Code.PRIORITY_FORBIDDEN, priority_value, "a stateful reference has a Priority, and the policy is not strict"
        )
    priority = findings.integer(priority_value, "Priority", 1, 65535, Code.PRIORITY_RANGE)
    if holder is None or not findings.typed(holder, str, "ResourceArn"):
        return None
    text = str(holder.content)
    arn = parse_arn(text)
    if arn is None:
        findings.add(Code.BAD_ARN, holder, f"{text[:120]!r} is not an ARN of AWS Network Firewall")
    return Reference(item, text, arn, order is None, priority, _demotes(item, arn, findings))


def _demotes(item: Value, arn: Arn | None, findings: Findings) -> bool:
    """Whether the reference turns drops into alerts."""
    deep = findings.member(item, "DeepThreatInspection")
    if deep is not None and deep.content is True:
        findings.unsupported(Code.DEEP_INSPECTION, deep, "DeepThreatInspection is not emulated")
    override = findings.struct(item, "Override")
    if override is None or findings.word(override, "Action", ("DROP_TO_ALERT",)) is None:
        return False
    if arn is not None and not arn.managed:
        findings.add(Code.OVERRIDE_OWN, override, f"Override on {arn.name}, which is not a managed rule group")
    return True


def _check_unique(references: Sequence[Reference], findings: Findings) -> None:
    priorities: set[int] = set()
    arns: set[str] = set()
    for reference in references:
        if reference.priority in priorities:
            findings.add(Code.PRIORITY_TWICE, reference.value, f"the priority {reference.priority} stands twice in this list")
        if reference.arn_text in arns:
            findings.add(Code.REFERENCE_TWICE, reference.value, f"{reference.name} stands twice in this list")
        if reference.priority is not None:
            priorities.add(reference.priority)
        arns.add(reference.arn_text)


def _check_arn(reference: Reference, region: str, findings: Findings) -> None:
    arn = reference.arn
    if arn is None:
        return
    kind = "stateless-rulegroup" if reference.stateless else "stateful-rulegroup"
    if arn.kind != kind:
        findings.add(Code.REFERENCE_KIND, reference.value, f"{arn.name} is a {arn.kind}; this list takes a {kind}")
    if arn.region != region:
        findings.add(Code.REFERENCE_REGION, reference.value, f"{arn.name} is in {arn.region}, the policy in {region}")


def resolve(reference: Reference, exports: Exports, findings: Findings) -> Export | None:
    """The file a reference means, under the name that the reference uses; None after a diagnostic."""
    found = exports.candidates(reference.arn_text, stateless=reference.stateless)
    if len(found) > 1:
        files = ", ".join(each.root.document.name for each in found)
        findings.add(Code.GROUP_AMBIGUOUS, reference.value, f"several files hold the rule group {reference.name}: {files}")
        return None
    if not found:
        _missing(reference, findings)
        return None
    export = found[0]
    if export.stateless != reference.stateless:
        held, wanted = ("stateless", "stateful") if export.stateless else ("stateful", "stateless")
        message = f"the rule group {reference.name} is {held}, the policy uses it as {wanted}"
        findings.add(Code.GROUP_TYPE, export.root, message)
        return None
    return replace(export, name=reference.name)


def _missing(reference: Reference, findings: Findings) -> None:
    arn = reference.arn
    if arn is None:
        return
    if arn.managed:
        findings.add(Code.MANAGED_MISSING, reference.value, f"the managed rule group {arn.name} is not among the files")
        return
    hint = DESCRIBE.format(arn=reference.arn_text, name=arn.name)
    findings.add(Code.GROUP_MISSING, reference.value, f"the rule group {arn.name} is not among the files", hint)


def check_capacity(groups: Sequence[Export], policy: Value, findings: Findings) -> None:
    """The declared capacities: each at most 30,000, and those of a policy's stateless groups in all."""
    total = 0
    for group in groups:
        value = findings.member(group.response, "Capacity") if group.response else None
        if value is None or not findings.typed(value, int, "Capacity") or not isinstance(value.content, int):
            continue
        capacity = value.content
        if capacity > MAX_CAPACITY:
            findings.add(Code.CAPACITY, value, f"the rule group {group.name} declares a capacity of {str(capacity)[:20]}")
        total += capacity if group.stateless else 0
    if total > MAX_CAPACITY:
        findings.add(Code.CAPACITY_SUM, policy, f"the stateless groups declare a capacity of {str(total)[:20]} in all")
