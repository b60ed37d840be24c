"""Stateless actions and custom actions: one standard action, beside it names of metrics to publish.

Policies and stateless groups share this vocabulary; a custom action's name is known in the scope that defines it only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.findings import Findings
from twinwall.formats.json.value import Value
from twinwall.policy.model import Action

STANDARD = {"aws:pass": Action.PASS, "aws:drop": Action.DROP, "aws:forward_to_sfe": Action.FORWARD}
ACTION_NAME = re.compile(r"[a-zA-Z0-9]{1,128}")
DIMENSION_VALUE = re.compile(r"[a-zA-Z0-9\-_ ]{1,128}")


@dataclass(frozen=True, slots=True)
class StatelessActions:
    """A verdict and the metrics (dimension values) to count."""

    action: Action
    metrics: tuple[str, ...] = ()


def read_custom_actions(parent: Value, member: str, findings: Findings) -> dict[str, str]:
    """The custom actions of a scope: name → dimension value."""
    defined: dict[str, str] = {}
    for entry in findings.items(parent, member, dict):
        name = findings.required(entry, "ActionName")
        dimension = _dimension(entry, findings)
        if name is None or not findings.typed(name, str, "ActionName"):
            continue
        text = str(name.content)
        if not ACTION_NAME.fullmatch(text):
            findings.add(Code.CUSTOM_NAME, name, f"{text[:60]!r} is not a custom action's name")
        elif text in defined:
            findings.add(Code.CUSTOM_TWICE, name, f"the custom action {text} is defined twice")
        defined.setdefault(text, dimension)
    return defined


def _dimension(entry: Value, findings: Findings) -> str:
    """The one dimension's value; empty after a diagnostic."""
    definition = findings.struct(entry, "ActionDefinition")
    publish = findings.struct(definition, "PublishMetricAction") if definition else None
    values = [findings.text(item, "Value") for item in findings.items(publish, "Dimensions", dict)] if publish else []
    if len(values) != 1 or values[0] is None:
        findings.add(Code.CUSTOM_DEFINITION, definition or entry, f"{len(values)} dimensions where one is needed")
        return ""
    if not DIMENSION_VALUE.fullmatch(values[0]):
        findings.add(
            Code.CUSTOM_DEFINITION,
            definition or entry,
            f"{values[0][:60]!r} is not a dimension's value",
            "a value has 1 to 128 letters, digits, spaces, hyphens and underscores",
        )
    return values[0]


def read_actions(parent: Value, member: str, custom: Mapping[str, str], findings: Findings) -> StatelessActions | None:
    """The actions of a rule or of a default; None after a diagnostic."""
    holder = findings.required(parent, member)
    if holder is None or not findings.typed(holder, list, member):
        return None
    standard: list[Action] = []
    metrics: list[str] = []
    for item in findings.elements(holder, member, str):
        name = str(item.content)
        if name in STANDARD:
            standard.append(STANDARD[name])
        elif name in custom:
            metrics.append(custom[name])
        elif name.startswith("aws:"):
            findings.known(item, member, tuple(STANDARD))
        else:
            findings.add(Code.CUSTOM_UNDEFINED, item, f"the custom action {name[:60]!r} is not defined here")
    if len(standard) != 1:
        findings.add(Code.STANDARD_ACTION, holder, f"{member} names {len(standard)} standard actions where one is needed")
        return None
    return StatelessActions(standard[0], tuple(metrics))
