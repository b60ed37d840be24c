"""The stateless stage as a table."""

from __future__ import annotations

import numpy as np

from twinwall.compile.contexts import CONTEXT_FIELDS, asks_context
from twinwall.compile.entries import entries_of
from twinwall.compile.kinds import KIND_FIELDS
from twinwall.compile.order import search_order
from twinwall.compile.table import Builder, RuleTable
from twinwall.path.table_layout import (
    ACTION_DROP,
    ACTION_FORWARD,
    ACTION_PASS,
    H_ASKED,
    H_DEFAULT,
    H_INFO,
    INFO_RULE_SHIFT,
)
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
    written = entries_of(stage.rules)
    entries = [written[place] for place in search_order(written)]
    builder = Builder(len(entries))
    builder.tuple_fields(entries)
    builder.packet_fields(entries)
    infos = [STATELESS_ACTIONS[each.rule.action] | each.index << INFO_RULE_SHIFT for each in entries]
    builder.sections[H_INFO] = np.array(infos, np.uint64)
    other = stage.fragments if stage.other_fragments is None else stage.other_fragments
    actions = [STATELESS_ACTIONS[each] for each in (stage.default, stage.fragments, other)]
    builder.numbers[H_ASKED] = 1 if any(asks_context(each) or not each.source_ports.is_any for each in entries) else 0
    builder.numbers[H_DEFAULT] = actions[0] | actions[1] << 8 | actions[2] << 16
    return builder.table(stage.rules)
