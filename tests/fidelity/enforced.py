"""A policy put in force in a gateway: settings, stateless stage, ruleset.

Rules that the kernel cannot express are taken out and counted by what the renderer says of them.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from tests.fidelity.gateway import GROUP
from twinwall.compile.policy import compile_policy
from twinwall.live import nft, sysctl
from twinwall.live.error import EnforcementError
from twinwall.live.xdp import XdpStage
from twinwall.policy.diagnostic import PolicyError
from twinwall.render.options import QueueWay, RenderOptions, StatelessWay
from twinwall.render.ruleset import render_ruleset
from twinwall.render.sysctls import render_sysctls
from twinwall.rules.policy_file import read_policy_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fidelity.gateway import Gateway
    from tests.fidelity.policies import PolicyText
    from twinwall.policy.model import Policy

WAYS = (StatelessWay.XDP, StatelessWay.NFT)


def options(way: StatelessWay, generation: int = 1, kept: frozenset[int] = frozenset()) -> RenderOptions:
    """How the harness renders."""
    return RenderOptions(generation=generation, stateless=way, queue=QueueWay.NONE, kept=kept, witness=GROUP)


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


@contextlib.contextmanager
def in_force(gateway: Gateway, policy: Policy, way: StatelessWay) -> Iterator[XdpStage | None]:
    """The first policy of a fresh gateway; gives the stage in XDP, if that is the way."""
    ruleset = render_ruleset(policy, options(way))
    with contextlib.ExitStack() as stack:
        stage = None
        with gateway.router.entered():
            for setting in render_sysctls(policy):
                with contextlib.nullcontext() if setting.required else contextlib.suppress(EnforcementError):
                    sysctl.write(setting.name, setting.value)
            if way is StatelessWay.XDP:
                stage = stack.enter_context(XdpStage.load(compile_policy(policy), policy, 1))
                for link in policy.attach.interfaces:
                    stage.attach(link)
            nft.load(ruleset.text)
        if stage is not None:
            gateway.no_gro()
        yield stage
