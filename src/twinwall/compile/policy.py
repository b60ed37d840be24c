"""A policy as two tables.  Pure and deterministic: equal policies give equal words."""

from __future__ import annotations

from dataclasses import dataclass

from twinwall.compile.stateful import compile_stateful
from twinwall.compile.stateless import compile_stateless
from twinwall.compile.table import RuleTable
from twinwall.policy.model import Policy


@dataclass(frozen=True)
class CompiledPolicy:
    """Both stages.  `flowbit_words`: how many 64-bit words of rule bits each flow needs."""

    stateless: RuleTable
    stateful: RuleTable
    flowbit_words: int


def compile_policy(policy: Policy) -> CompiledPolicy:
    """Compile both stages of `policy`."""
    return CompiledPolicy(
        stateless=compile_stateless(policy.stateless),
        stateful=compile_stateful(policy.stateful, policy.flowbits),
        flowbit_words=-(-len(policy.flowbits) // 64),
    )
