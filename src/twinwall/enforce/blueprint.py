"""What is to be in the kernel: one policy, at one generation, in one form.  Its parts are made once, when asked for.

Deterministic: the blueprint of what is in force, made again by another process, is what is in force.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from twinwall.enforce.ahead import Ahead
from twinwall.enforce.marker import Marker
from twinwall.enforce.outline import Outline
from twinwall.enforce.source import Source
from twinwall.enforce.state import InForce
from twinwall.policy.model import Attach, Policy
from twinwall.render.options import QueueWay, RenderOptions, StatelessWay
from twinwall.render.sysctls import Setting, render_sysctls

if TYPE_CHECKING:
    from twinwall.compile.policy import CompiledPolicy
    from twinwall.compile.table import RuleTable
    from twinwall.render.ruleset import Ruleset


@dataclass(frozen=True)
class Blueprint:
    """`force` says generation and form, `source` the policy."""

    force: InForce
    source: Source

    @cached_property
    def policy(self) -> Policy:
        """The policy.  Raises `PolicyError`."""
        return self.source.policy()

    @cached_property
    def stateless(self) -> RuleTable:
        """The table of its stateless stage, which XDP runs.  Raises `PolicyError`."""
        from twinwall.compile.policy import stateless_table  # noqa: PLC0415 - what is only torn down needs no tables

        return stateless_table(self.policy)

    @cached_property
    def compiled(self) -> CompiledPolicy:
        """Both tables, as the engine wants them: the kernel runs the stateful stage as a ruleset.  Raises `PolicyError`."""
        from twinwall.compile.policy import compile_policy  # noqa: PLC0415 - see above

        return compile_policy(self.policy, self.stateless)

    @cached_property
    def ruleset(self) -> Ruleset:
        """Its ruleset.  Raises `PolicyError` with everything that Linux cannot do."""
        begun: Ahead[Ruleset] | None = self.__dict__.pop("begun", None)
        return begun.result() if begun is not None else self._rendered()

    def begin(self) -> Blueprint:
        """Begin to render the ruleset on another processor; it is there when it is asked for."""
        self.__dict__["begun"] = Ahead(self._rendered)
        return self

    def _rendered(self) -> Ruleset:
        from twinwall.render.ruleset import render_ruleset  # noqa: PLC0415 - see above

        options = RenderOptions(
            generation=self.force.generation,
            stateless=StatelessWay(self.force.way),
            queue=QueueWay(self.force.queue),
            kept=frozenset(self.force.kept),
            digest=self.force.chosen.digest,
        )
        return render_ruleset(replace(self.policy, flowbits=self.force.labels or self.policy.flowbits), options)

    @cached_property
    def outline(self) -> Outline:
        """The policy in outline."""
        return Outline.of(self.policy)

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """Its kernel settings."""
        return render_sysctls(self.policy)

    @property
    def attach(self) -> Attach:
        """Where it is enforced."""
        assert self.policy.attach is not None, "what is not attached is not enforced"
        return self.policy.attach

    @property
    def marker(self) -> Marker:
        """What the kernel says when it holds this."""
        return Marker(self.force.chosen.digest, self.force.generation)

    def primed(self, policy: Policy) -> Blueprint:
        """The same, with the policy that was just read from the source."""
        self.__dict__["policy"] = policy
        return self
