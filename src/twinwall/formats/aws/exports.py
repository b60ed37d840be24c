"""Which file is what: the policy, the rule groups, and the file that an ARN means.

A file holds the output of `describe-firewall-policy` or `describe-rule-group`, or only the `FirewallPolicy` or `RuleGroup`
body of one.  An ARN means the file with that `RuleGroupArn`; failing that, a file without ARN whose `RuleGroupName`, or whose
own name without its ending, is the ARN's last part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from twinwall.formats.aws.arn import Arn, parse_arn
from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.findings import Findings
from twinwall.formats.json.value import Value

NEXT_GENERATION = ("FirewallPolicyV2", "FirewallRuleGroup", "IpsRuleGroup")
NEXT_GENERATION_TYPES = ("FIREWALL", "IPS")
TYPES = ("STATELESS", "STATEFUL", "STATEFUL_DOMAIN")
STATELESS_BODY = "StatelessRulesAndCustomActions"


@dataclass(frozen=True, eq=False)
class Export:
    """One resource: its body and what the response around it says.  `body` is None for a response without one."""

    root: Value
    body: Value | None
    response: Value | None
    name: str
    arn_text: str = ""
    stateless: bool = False  # of a rule group: its Type, or what its body looks like

    @property
    def arn(self) -> Arn | None:
        """The resource's ARN, where the file holds it."""
        return parse_arn(self.arn_text)


@dataclass(frozen=True)
class Exports:
    """What a set of files holds."""

    policies: tuple[Export, ...]
    groups: tuple[Export, ...]

    def candidates(self, arn_text: str, *, stateless: bool) -> list[Export]:
        """The rule groups that an ARN may mean: one, if all is well."""
        exact = [group for group in self.groups if group.arn_text == arn_text]
        if exact:
            return exact
        name = arn_text.rpartition("/")[2]
        return [each for each in self.groups if not each.arn_text and each.name == name and each.stateless == stateless]


def sort_exports(roots: Sequence[Value], findings: Findings) -> Exports:
    """Tell policies from rule groups; whatever is neither is diagnosed."""
    policies: list[Export] = []
    groups: list[Export] = []
    for root in roots:
        members = root.content if isinstance(root.content, dict) else {}
        newer = next((name for name in NEXT_GENERATION if name in members), None)
        if newer is not None:
            findings.unsupported(Code.NEXT_GENERATION, members[newer], f"{newer} belongs to a next-generation policy")
        elif "FirewallPolicy" in members or "FirewallPolicyResponse" in members:
            policies.append(_policy(root, findings))
        elif "StatelessDefaultActions" in members:
            policies.append(Export(root, root, None, _stem(root)))
        elif "RuleGroup" in members or "RuleGroupResponse" in members:
            _add_group(root, groups, findings)
        elif "RulesSource" in members:
            groups.append(Export(root, root, None, _stem(root), stateless=_looks_stateless(root)))
        else:
            findings.add(Code.FOREIGN, root, "neither a firewall policy nor a rule group of AWS Network Firewall")
    return Exports(tuple(policies), tuple(groups))


def _policy(root: Value, findings: Findings) -> Export:
    response = findings.struct(root, "FirewallPolicyResponse")
    name = findings.text(response, "FirewallPolicyName") if response else None
    arn = findings.text(response, "FirewallPolicyArn") if response else None
    return Export(root, _body(root, "FirewallPolicy", findings), response, name or _stem(root), arn or "")


def _add_group(root: Value, groups: list[Export], findings: Findings) -> None:
    response = findings.struct(root, "RuleGroupResponse")
    kind = findings.member(response, "Type") if response else None
    if kind is not None and kind.content in NEXT_GENERATION_TYPES:
        findings.unsupported(
            Code.NEXT_GENERATION, kind, f"a rule group of Type {kind.content} belongs to next-generation policies"
        )
        return
    if kind is not None and findings.typed(kind, str, "Type"):
        findings.known(kind, "Type", TYPES)
    name = findings.text(response, "RuleGroupName") if response else None
    arn = findings.text(response, "RuleGroupArn") if response else None
    body = _body(root, "RuleGroup", findings)
    stateless = kind.content == "STATELESS" if kind is not None else body is not None and _looks_stateless(body)
    groups.append(Export(root, body, response, name or _stem(root), arn or "", stateless))


def _body(root: Value, name: str, findings: Findings) -> Value | None:
    value = findings.required(root, name)
    return value if value is not None and findings.typed(value, dict, name) else None


def _looks_stateless(body: Value) -> bool:
    source = body.content.get("RulesSource") if isinstance(body.content, dict) else None
    return source is not None and isinstance(source.content, dict) and STATELESS_BODY in source.content


def _stem(root: Value) -> str:
    return PurePath(root.document.name).stem
