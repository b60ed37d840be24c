"""A policy as two tables.  Pure and deterministic: equal policies give equal words."""

from __future__ import annotations

from dataclasses import dataclass

from twinwall.compile.limits import TooLargeError, refusal
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


def compile_policy(policy: Policy, stateless: RuleTable | None = None) -> CompiledPolicy:
    """Compile both stages of `policy`, or what is missing besides the table of its stateless one.

    `PolicyError`: a stage is larger than `compile.limits` allows.
    """
    stateless = stateless_table(policy) if stateless is None else stateless
    try:
        stateful = compile_stateful(policy.stateful, policy.flowbits)
    except TooLargeError as error:
        raise refusal(error, "stateful", policy.stateful.rules) from error
    return CompiledPolicy(stateless, stateful, -(-len(policy.flowbits) // 64))


def stateless_table(policy: Policy) -> RuleTable:
    """Compile the stateless stage alone, which is all that XDP runs.  `PolicyError` as above."""
    try:
        return compile_stateless(policy.stateless)
    except TooLargeError as error:
        raise refusal(error, "stateless", policy.stateless.rules) from error
