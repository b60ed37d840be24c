"""A policy put in force in a gateway as `apply` does it: the steps of `enforce.transaction`, taken by `enforce.linux`.

So what is compared is what users run: programs that judge beside others before they judge alone, a ruleset that is staged under
the names of its generation and switched to, settings that are remembered.  The one thing added is the witness.

Rules that the kernel cannot express are taken out and counted by what the renderer says of them.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.fidelity.gateway import GROUP
from twinwall.enforce import transaction
from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.design import numbered
from twinwall.enforce.linux import LinuxKernel
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.state import Chosen, InForce, State
from twinwall.live.xdp import XdpStage
from twinwall.policy.diagnostic import PolicyError
from twinwall.render.options import QueueWay, RenderOptions, StatelessWay
from twinwall.render.ruleset import render_ruleset
from twinwall.rules.policy_file import read_policy_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fidelity.gateway import Gateway
    from tests.fidelity.policies import PolicyText
    from twinwall.policy.model import Policy
    from twinwall.render.ruleset import Ruleset

WAYS = (StatelessWay.XDP, StatelessWay.NFT)


def options(way: StatelessWay) -> RenderOptions:
    """How the harness renders."""
    return RenderOptions(generation=1, stateless=way, queue=QueueWay.NONE, witness=GROUP)


def read_policy(text: str) -> Policy:
    """The policy that a text says.  Raises `PolicyError`."""
    policy, diagnostics = read_policy_text(text, "policy.yaml", lambda name: "")
    if policy is None:
        raise PolicyError(diagnostics)
    return policy


def expressible(text: PolicyText, way: StatelessWay) -> tuple[PolicyText, Counter[str]]:
    """The policy without the rules that the renderer refuses, and what it said of them."""
    refused: Counter[str] = Counter()
    while True:
        try:
            render_ruleset(read_policy(str(text)), options(way))
        except PolicyError as error:
            lines = str(text).splitlines()
            said = {lines[each.span.line - 1].strip(): each.message.partition(": ")[2] for each in error.diagnostics}
            kept = frozenset(text.rules()) - said.keys()
            if len(kept) == len(text.rules()):
                raise
            refused.update(said.values())
            text = text.keeping(kept)
        else:
            return text, refused


class Witnessed(Blueprint):
    """A blueprint whose ruleset tells the harness's log group of every verdict."""

    def _rendered(self) -> Ruleset:
        force = self.force
        made = options(StatelessWay(force.way))
        kept, digest = frozenset(force.kept), force.chosen.digest
        return render_ruleset(
            replace(self.policy, flowbits=force.labels), replace(made, generation=force.generation, kept=kept, digest=digest)
        )


class Enforced:
    """Policies in force in a gateway, one after the other."""

    def __init__(self, gateway: Gateway, state: State) -> None:
        self._gateway = gateway
        self._kernel = LinuxKernel(state)
        self._now: Witnessed | None = None

    def change(self, policy: Policy, way: StatelessWay, generation: int, kept: tuple[int, ...] = ()) -> None:
        """Put `policy` in the place of what is in force, as `apply` does.  Raises `EnforcementError`."""
        source = Source(Kind.POLICY, (("policy.yaml", repr(policy)),))  # a name: the policy was read already
        labels = numbered(policy.flowbits, self._now.force if self._now else None)
        force = InForce(Chosen(source.digest, "policy.yaml"), generation, kept, way.value, labels=labels)
        new = Witnessed(force, source).primed(policy)
        with self._gateway.router.entered():
            self._kernel.forget(generation)
            transaction.replace(self._kernel, self._now, new)
            assert transaction.holds(self._kernel, new)
        self._now = new
        if way is StatelessWay.XDP:
            self._gateway.no_gro()

    def stateless_hits(self) -> list[int] | None:
        """How often each stateless rule decided since the policy is in force; None: not in XDP, where nobody counts them."""
        if self._now is None or self._now.force.way != StatelessWay.XDP.value:
            return None
        with self._gateway.router.entered(), XdpStage.of(self._now.attach.interfaces[0]) as stage:
            return [count.packets for count in stage.counters().rules]


@contextlib.contextmanager
def in_force(gateway: Gateway, policy: Policy, way: StatelessWay, generation: int = 1) -> Iterator[Enforced]:
    """The first policy of a fresh gateway."""
    with tempfile.TemporaryDirectory(prefix="twinwall-") as folder:
        enforced = Enforced(gateway, State(folder))
        enforced.change(policy, way, generation)
        yield enforced
