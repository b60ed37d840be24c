"""Variables of a stateful rule group: `$NAME` from RuleVariables, `@NAME` from IP set references, and HOME_NET's inheritance.

A group that does not set HOME_NET or EXTERNAL_NET takes it **from the policy**, whose EXTERNAL_NET is the negation of the
policy's HOME_NET.  So a group that sets only HOME_NET keeps an EXTERNAL_NET that is not the negation of its own: a trap of
the service, kept here.  The policy's HOME_NET is its PolicyVariables', else the VPC's CIDR, which no export holds.

Definitions are kept as located texts, which the rule language's own variables read.  A reference's key keeps its `@`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from twinwall.formats.aws.addresses import parse_network
from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.findings import Findings
from twinwall.formats.aws.options import AwsOptions
from twinwall.formats.json.value import Value
from twinwall.policy.diagnostic import Span
from twinwall.rules.located import Located

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
PORTS = re.compile(r"!?([0-9]{1,5})(?::([0-9]{1,5}))?")
HOME, EXTERNAL = "HOME_NET", "EXTERNAL_NET"
MAX_REFERENCES = 5
MAX_ENTRIES = 1_000

Definition = tuple[Located, ...]


@dataclass
class GroupVariables:
    """What the names in one group's rules stand for; `home_unknown`: nothing says what HOME_NET is."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    home_unknown: bool = False

    def length(self, name: str) -> int:
        """How long a name's definition is, written as a list."""
        return sum(len(part.text) + 1 for part in self.definitions.get(name, ()))


@dataclass(frozen=True, slots=True)
class PolicyNets:
    """The policy's own HOME_NET and its negation; `known` is False where nothing says what the VPC's CIDR is."""

    home: Definition
    external: Definition
    known: bool


def read_policy_nets(policy: Value, options: AwsOptions, findings: Findings) -> PolicyNets:
    """HOME_NET from the policy's PolicyVariables, else from the user, else any address."""
    holder = findings.struct(policy, "PolicyVariables")
    home: Definition = ()
    for name, entry in findings.entries(holder, "RuleVariables") if holder else ():
        parts = _definition(entry, findings, ports=False)
        if name == HOME:
            home = parts
        else:
            findings.add(Code.POLICY_VARIABLE, entry, f"the policy defines {name[:40]}")
    home = home or _given(options.home_net, "home_net", policy, findings)
    if not home:
        anything = (_located("any", policy.span),)
        return PolicyNets(anything, anything, known=False)
    negation = f"![{','.join(part.text for part in home)}]"
    return PolicyNets(home, (_located(negation, policy.span),), known=True)


def read_variables(body: Value, nets: PolicyNets, options: AwsOptions, findings: Findings) -> GroupVariables:
    """Everything that one group's rules may name."""
    found = GroupVariables(home_unknown=not nets.known)
    holder = findings.struct(body, "RuleVariables")
    if holder is not None:
        _read_sets(holder, found, findings)
    _read_references(body, options, found, findings)
    if HOME in found.definitions:
        found.home_unknown = False
    found.definitions.setdefault(HOME, nets.home)
    found.definitions.setdefault(EXTERNAL, nets.external)
    return found


def _read_sets(holder: Value, found: GroupVariables, findings: Findings) -> None:
    for member in ("IPSets", "PortSets"):
        for name, entry in findings.entries(holder, member):
            if _named(name, entry, findings):
                parts = _definition(entry, findings, ports=member == "PortSets")
                found.definitions[name] = parts or (_located("any", entry.span),)
    for name, entry in findings.entries(holder, "ContextSets"):
        findings.unsupported(Code.CONTEXT_SETS, entry, f"the context set {name[:40]} is not supported")
        found.definitions.setdefault(name, (_located("any", entry.span),))


def _read_references(body: Value, options: AwsOptions, found: GroupVariables, findings: Findings) -> None:
    sets = findings.struct(body, "ReferenceSets")
    entries = list(findings.entries(sets, "IPSetReferences")) if sets else []
    if len(entries) > MAX_REFERENCES:
        findings.add(Code.REFERENCE_COUNT, entries[MAX_REFERENCES][1], f"{len(entries)} IP set references in one group")
    for name, entry in entries:
        arn = findings.text(entry, "ReferenceArn") or ""
        if not _named(name, entry, findings):
            continue
        texts = options.references.get(arn, options.references.get(name))
        if texts is None:
            message = f"the contents of the IP set reference @{name} are not in the export"
            findings.add(Code.REFERENCE_CONTENTS, entry, message, _how_to_get(arn, name))
        elif len(texts) > MAX_ENTRIES:
            findings.add(Code.REFERENCE_ENTRIES, entry, f"@{name} has {len(texts)} entries")
        parts = _given(texts or (), f"@{name}", entry, findings)
        found.definitions[f"@{name}"] = parts or (_located("any", entry.span),)


def _how_to_get(arn: str, name: str) -> str:
    """Where the contents of an IP set reference come from: a prefix list, or a resource group."""
    if ":prefix-list/" in arn:
        identifier = arn.rpartition("/")[2]
        command = f"aws ec2 get-managed-prefix-list-entries --prefix-list-id {identifier} --query 'Entries[].Cidr'"
        return f"run `{command}` and give the CIDRs as the reference {name}"
    command = f"aws resource-groups list-group-resources --group {arn or name}"
    return f"run `{command}`, look up the members' addresses, and give their CIDRs as the reference {name}"


def _named(name: str, entry: Value, findings: Findings) -> bool:
    if NAME.fullmatch(name):
        return True
    findings.add(Code.VARIABLE_NAME, entry, f"{name[:60]!r} is not a variable's name")
    return False


def _definition(entry: Value, findings: Findings, *, ports: bool) -> Definition:
    """The elements of a `Definition` that can be read; the others are diagnosed.  A `!` in front excludes, as in rules."""
    findings.required(entry, "Definition")
    parts: list[Located] = []
    noun = "a port nor a range of ports" if ports else "an address nor a CIDR"
    for item in findings.items(entry, "Definition", str):
        text = str(item.content)
        if _is_ports(text) if ports else parse_network(text.removeprefix("!")) is not None:
            parts.append(_located(text, item.inner_span(0)))
        else:
            findings.add(Code.VARIABLE_DEFINITION, item, f"{text[:60]!r} is neither {noun}")
    return tuple(parts)


def _is_ports(text: str) -> bool:
    match = PORTS.fullmatch(text)
    return match is not None and int(match[1]) <= int(match[2] or match[1]) <= 65535


def _given(texts: Iterable[str], name: str, at: Value, findings: Findings) -> Definition:
    """The set that the user supplied beside the export."""
    parts: list[Located] = []
    for text in texts:
        if parse_network(text) is None:
            findings.add(Code.BAD_ADDRESS, at, f"{text[:60]!r}, given for {name}, is neither an address nor a CIDR")
        else:
            parts.append(_located(text, at.span))
    return tuple(parts)


def _located(text: str, span: Span) -> Located:
    return Located(text, span.file, span.line, span.column)
