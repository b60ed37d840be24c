"""From the texts of an export to a `Policy`: the order of the work, and nothing else.

`read_aws` is pure.  Every file is read to its end, every reference followed, and all mistakes of all files are reported;
a policy comes out only if none of them is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.exports import Export, Exports, sort_exports
from twinwall.formats.aws.findings import Findings
from twinwall.formats.aws.options import AwsOptions
from twinwall.formats.aws.policy_body import Engine, read_engine, read_stateless_settings, timeouts
from twinwall.formats.aws.references import Reference, check_capacity, read_references, resolve
from twinwall.formats.aws.report import AwsReport, make_report
from twinwall.formats.aws.stateful.group import StatefulContext, read_stateful_group
from twinwall.formats.aws.stateful.text import name_flowbits
from twinwall.formats.aws.stateful.variables import read_policy_nets
from twinwall.formats.aws.stateless import fragment_rules, read_stateless_group
from twinwall.formats.json.reader import read_json
from twinwall.formats.json.value import Value
from twinwall.policy.diagnostic import Diagnostic, Span
from twinwall.policy.model import Action, Policy, Rule, StatefulStage, StatelessStage, Tracking
from twinwall.rules.order import evaluation_order


@dataclass(frozen=True, slots=True)
class AwsReading:
    """What came of an export: the policy, unless a diagnostic is an error, and how much was understood."""

    policy: Policy | None
    diagnostics: tuple[Diagnostic, ...]
    report: AwsReport


def read_aws(files: Sequence[tuple[str, str]], options: AwsOptions) -> tuple[Policy | None, tuple[Diagnostic, ...]]:
    """Read an export given as (name, text) of each file: the policy, and everything that was found."""
    reading = examine_aws(files, options)
    return reading.policy, reading.diagnostics


def examine_aws(files: Sequence[tuple[str, str]], options: AwsOptions) -> AwsReading:
    """The same as `read_aws`, with the support report."""
    findings = Findings()
    roots = _read_files(files, findings)
    exports = sort_exports(roots, findings)
    policy = _only_policy(exports, findings, files)
    read = _read_policy(policy, exports, options, findings) if policy is not None and policy.body is not None else None
    diagnostics = tuple(dict.fromkeys(findings.diagnostics))
    return AwsReading(None if findings.errors else read, diagnostics, make_report(roots, findings))


def _read_files(files: Sequence[tuple[str, str]], findings: Findings) -> list[Value]:
    roots: list[Value] = []
    for name, text in files:
        root, diagnostics = read_json(name, text)
        for each in diagnostics:
            findings.take(each)
        if root is not None:
            roots.append(root)
    return roots


def _only_policy(exports: Exports, findings: Findings, files: Sequence[tuple[str, str]]) -> Export | None:
    for other in exports.policies[1:]:
        first = exports.policies[0].root.document.name
        findings.add(Code.SEVERAL_POLICIES, other.root, f"a second policy; the first is in {first}")
    if exports.policies:
        return exports.policies[0]
    if not findings.errors:
        name = files[0][0] if files else "(no file)"
        findings.add(Code.NO_POLICY, Span(name, 1, 1), "no file holds a firewall policy")
    return None


def _read_policy(policy: Export, exports: Exports, options: AwsOptions, findings: Findings) -> Policy | None:
    body = policy.body
    if body is None:
        return None
    engine = read_engine(body, findings)
    stateless_rules, stateful_rules = _read_groups(policy, body, engine, exports, options, findings)
    settings = read_stateless_settings(body, findings)
    flowbits = name_flowbits(stateful_rules)
    return Policy(
        stateless=StatelessStage(
            rules=(*fragment_rules(options, body.span), *stateless_rules),
            default=settings.default.action,
            fragments=settings.fragments.action,
            other_fragments=Action.DROP,
            default_metrics=settings.default.metrics,
            fragment_metrics=settings.fragments.metrics,
        ),
        stateful=StatefulStage(
            rules=evaluation_order(stateful_rules, engine.order),
            order=engine.order,
            default=engine.defaults,
            midstream=options.midstream or engine.midstream,
            invalid=options.invalid,
        ),
        tracking=Tracking(timeouts=timeouts(engine.idle)),
        flowbits=flowbits,
        name=policy.name,
        origin=policy.arn_text,
    )


def _read_groups(
    policy: Export, body: Value, engine: Engine, exports: Exports, options: AwsOptions, findings: Findings
) -> tuple[list[Rule], list[Rule]]:
    """The rules of all groups that the policy refers to, stateless and stateful, in the order of the references."""
    region = policy.arn.region if policy.arn else ""
    stateless = read_references(body, "StatelessRuleGroupReferences", None, region, findings)
    stateful = read_references(body, "StatefulRuleGroupReferences", engine.order, region, findings)
    pairs = [(reference, resolve(reference, exports, findings)) for reference in (*stateless, *stateful)]
    used = [export for _, export in pairs if export is not None]
    check_capacity(used, body, findings)
    _warn_unused(exports, (*stateless, *stateful), findings)
    context = StatefulContext(engine.order, read_policy_nets(body, options, findings), options)
    first: list[Rule] = []
    second: list[Rule] = []
    for reference, export in pairs:
        if export is not None and reference.stateless:
            first += read_stateless_group(export, findings, options)
        elif export is not None:
            second += read_stateful_group(export, context, findings, demote=reference.demote)
    return first, second


def _warn_unused(exports: Exports, references: Sequence[Reference], findings: Findings) -> None:
    meant = [each for reference in references for each in exports.candidates(reference.arn_text, stateless=reference.stateless)]
    for export in exports.groups:
        if export not in meant:
            findings.add(Code.UNUSED, export.root, f"the rule group {export.name} is not used by the policy")
