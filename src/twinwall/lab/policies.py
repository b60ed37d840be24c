"""The bundled policies: one service, written three ways."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twinwall.policy.model import Attach, Mode, Policy
from twinwall.rules.policy_file import load_policy

FOLDER = Path(__file__).parent / "policies"
STATELESS, STATEFUL, BOTH = (FOLDER / f"{name}.yaml" for name in ("stateless", "stateful", "both"))
DEFAULT_ATTACH = Attach(Mode.GATEWAY, ("inside",), ("outside",))


def bundled(path: Path) -> Policy:
    """One of the bundled policies."""
    return load_policy(path)


def attached(policy: Policy) -> Policy:
    """The policy as the lab's gateway enforces it: one interface on each side, with the policy's own names for them."""
    given = policy.attach or DEFAULT_ATTACH
    inside = given.inside[:1] or DEFAULT_ATTACH.inside
    outside = given.outside[:1] or DEFAULT_ATTACH.outside
    return replace(policy, attach=replace(given, mode=Mode.GATEWAY, inside=inside, outside=outside))


def departures(policy: Policy) -> list[str]:
    """In what the lab's gateway is not what the policy's `attach` says."""
    given = policy.attach
    if given is None:
        return []
    said = []
    if given.mode is not Mode.GATEWAY:
        said.append(f"the policy is for a {given.mode}; the lab's firewall is a gateway")
    left_out = (*given.inside[1:], *given.outside[1:])
    if left_out:
        said.append(f"the lab has one interface on each side; without {', '.join(left_out)}")
    return said


def rule_count(policy: Policy) -> int:
    """How many rules somebody has written, in both stages."""
    return sum(not rule.synthetic for stage in (policy.stateless, policy.stateful) for rule in stage.rules)
