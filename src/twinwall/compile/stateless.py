"""The stateless stage as a table."""

from __future__ import annotations

import numpy as np

from twinwall.compile.contexts import CONTEXT_FIELDS
from twinwall.compile.entries import entries_of
from twinwall.compile.kinds import KIND_FIELDS
from twinwall.compile.table import RuleTable, assemble, compile_fields
from twinwall.path.table_layout import ACTION_DROP, ACTION_FORWARD, ACTION_PASS, H_DEFAULT, INFO_RULE_SHIFT
from twinwall.policy.model import Action, StatelessStage

STATELESS_ACTIONS = {Action.PASS: ACTION_PASS, Action.DROP: ACTION_DROP, Action.FORWARD: ACTION_FORWARD}
STATELESS_FIELDS = KIND_FIELDS | CONTEXT_FIELDS


def compile_stateless(stage: StatelessStage) -> RuleTable:
    """Compile the stage that judges every packet alone."""
    for rule in stage.rules:
        foreign = [each.field.name for each in rule.conditions if each.field not in STATELESS_FIELDS]
        assert not foreign, f"the stateless stage cannot ask for {foreign}: the reader refuses such rules"
        assert rule.flow is None, "the stateless stage knows no flows: the reader refuses such rules"
        assert not rule.flowbits, "the stateless stage knows no flows: the reader refuses such rules"
    entries = entries_of(stage.rules)
    info = np.zeros(2 * len(entries), np.uint64)
    info[0::2] = [STATELESS_ACTIONS[each.rule.action] | each.index << INFO_RULE_SHIFT for each in entries]
    other = stage.fragments if stage.other_fragments is None else stage.other_fragments
    defaults = STATELESS_ACTIONS[stage.default] | STATELESS_ACTIONS[stage.fragments] << 8 | STATELESS_ACTIONS[other] << 16
    return RuleTable(assemble(compile_fields(entries), info, {H_DEFAULT: defaults}, {}), stage.rules)
