"""What to put in force: which generation, in which form, in the place of what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.journal import printable
from twinwall.enforce.source import Source
from twinwall.enforce.state import Chosen, InForce, Preference, State
from twinwall.enforce.transaction import Kernel
from twinwall.live.error import EnforcementError
from twinwall.policy.model import Policy
from twinwall.render.guards import MOST_LABELS
from twinwall.render.marks import next_generation


class Ways(Protocol):
    """What this machine can do, and what stands in the way."""

    def stateless(self, trial: Blueprint) -> str:
        """Why the stateless stage of `trial` cannot run in XDP here; empty if it can."""

    def queue(self, policy: Policy) -> str:
        """How packets get to the inspector: `native`, `target`, or `none` where no rule asks for it."""


def standing(state: State, kernel: Kernel) -> InForce | None:
    """What is in force: the kernel says which policy, the state what it is.  Raises `EnforcementError` if that is unknown."""
    marker = kernel.marker()
    if marker is None:
        return None
    pending = state.pending()
    known: tuple[InForce | None, ...] = (state.current(), *((pending.new, pending.old) if pending else ()))
    for force in known:
        if force is not None and (force.chosen.digest, force.generation) == (marker.digest, marker.generation):
            return force
    cause = f"the kernel holds a policy ({marker.digest[:12]}) that {state.folder} does not know"
    raise EnforcementError(
        "tell what is in force", cause, "name its state folder with --state, or take it away with `twinwall stop`"
    )


def design(
    source: Source,
    policy: Policy,
    old: InForce | None,
    ways: Ways,
    *,
    preference: Preference = Preference.AUTO,
    keep: bool = False,
) -> Blueprint:
    """The blueprint of a policy in the place of `old`.  `keep`: connections that earlier policies passed live on.

    Raises `EnforcementError` if the policy does not say where it is enforced, or cannot be in the form that was asked for.
    """
    if policy.attach is None or not policy.attach.interfaces:
        remedy = "add an `attach` section to it, or use --mode, --inside and --outside"
        raise EnforcementError(f"enforce {source.name}", "the policy does not say on which interfaces", remedy)
    kept = frozenset((*old.kept, old.generation)) if keep and old else frozenset()
    generation = _generation(old, kept)
    labels = numbered(policy.flowbits, old)
    chosen = Chosen(source.digest, printable(source.name), preference, policy.attach.mode)

    def blueprint(way: str, why: str) -> Blueprint:
        force = InForce(chosen, generation, tuple(sorted(kept)), way, why, ways.queue(policy), labels=labels)
        return Blueprint(force, source).primed(policy)

    return _in_best_form(blueprint, preference, ways)


def _in_best_form(blueprint: Callable[[str, str], Blueprint], preference: Preference, ways: Ways) -> Blueprint:
    if preference is Preference.NFT:
        return blueprint("nft", "")
    wanted = blueprint("xdp", "").begin()
    why = ways.stateless(wanted)
    if not why:
        return wanted
    if preference is Preference.XDP:
        raise EnforcementError(
            "run the stateless stage in XDP", why, "leave --stateless out: it then runs as an nftables chain"
        )
    return blueprint("nft", why)


def numbered(names: Sequence[str], old: InForce | None) -> tuple[str, ...]:
    """The numbers of flow bits as connection labels: an earlier policy's keep theirs, because connections have them.

    So a bit keeps its meaning, which is its name, over a change, and no name gets a number that meant another.
    Raises `EnforcementError` if Linux has not enough numbers.
    """
    known = old.labels if old else ()
    labels = (*known, *(name for name in names if name not in known))
    if len(labels) > MOST_LABELS:
        cause = f"these policies have named {len(labels)} flow bits, one after the other, and Linux has {MOST_LABELS} labels"
        raise EnforcementError("number the flow bits", cause, "use names again, or forget the old ones: `twinwall stop`, apply")
    return labels


def _generation(old: InForce | None, kept: frozenset[int]) -> int:
    """The number of the next policy.  If it can be, not one whose connections the old policy lets live."""
    last = old.generation if old else 0
    try:
        with suppress(ValueError):
            return next_generation(last, kept.union(old.kept if old else ()))
        return next_generation(last, kept)
    except ValueError as error:
        raise EnforcementError("keep connections alive", str(error), "apply once without --keep") from error
