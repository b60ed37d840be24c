"""What a stateful rule asks beyond the fields that rows stand for, as a small program (`path.residual` runs it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twinwall.compile.contexts import CONTEXT_FIELDS
from twinwall.compile.kinds import KIND_FIELDS
from twinwall.path.table_layout import OP_END, OP_ISNOTSET, OP_ISSET, OP_RANGES, OP_SET, OP_TOGGLE, OP_UNSET
from twinwall.policy.model import Condition, FlowbitKind, FlowbitOption, Rule

TESTS = {FlowbitKind.ISSET: OP_ISSET, FlowbitKind.ISNOTSET: OP_ISNOTSET}
EFFECTS = {FlowbitKind.SET: OP_SET, FlowbitKind.UNSET: OP_UNSET, FlowbitKind.TOGGLE: OP_TOGGLE}


class Programs:
    """The programs of one stage; equal ones are stored once.  Place 0 means that there is none."""

    def __init__(self, flowbits: Sequence[str]) -> None:
        self.words: list[int] = [OP_END]
        self._bits: Mapping[str, int] = {name: number for number, name in enumerate(flowbits)}
        self._places: dict[tuple[int, ...], int] = {}

    def add(self, rule: Rule) -> int:
        """Where the program of `rule` starts; 0 if the rule needs none."""
        tests: list[int] = []
        for condition in rule.conditions:
            if condition.field not in KIND_FIELDS | CONTEXT_FIELDS:
                tests += _ranges(condition)
        for option in rule.flowbits:
            if option.kind in TESTS:
                tests += self._test(option)
        effects = [
            EFFECTS[option.kind] | self._bits[name] << 32
            for option in rule.flowbits
            if option.kind in EFFECTS
            for name in option.names
        ]
        if not tests and not effects:
            return 0
        program = (*tests, OP_END, *effects, OP_END)
        place = self._places.setdefault(program, len(self.words))
        if place == len(self.words):
            self.words += program
        return place

    def _test(self, option: FlowbitOption) -> list[int]:
        return [TESTS[option.kind] | len(option.names) << 24, *(self._bits[name] for name in option.names)]


def _ranges(condition: Condition) -> list[int]:
    negated = 1 if condition.negated else 0
    head = OP_RANGES | condition.field << 8 | negated << 16 | len(condition.ranges) << 24 | condition.mask << 32
    return [head, *(low | high << 32 for low, high in condition.ranges)]
