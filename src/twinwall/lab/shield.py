"""The policy between inside and outside, enforced as `twinwall apply` does it: the same design, the same transaction."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Iterator
from pathlib import Path

from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.design import design
from twinwall.enforce.linux import LinuxKernel
from twinwall.enforce.machine import LinuxMachine
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.state import State
from twinwall.enforce.transaction import replace
from twinwall.policy.model import Policy


class Shield:
    """What is in force in the network namespace of the calling thread."""

    def __init__(self, folder: Path) -> None:
        self._kernel = LinuxKernel(State(folder / "state"))
        self._machine = LinuxMachine(self._kernel.programs)
        self._now: Blueprint | None = None

    def change(self, policy: Policy) -> None:
        """Put a policy in the place of the one before.  Raises `EnforcementError` or `PolicyError`; that one then stays."""
        new = design(_source(policy), policy, self._now.force if self._now else None, self._machine)
        replace(self._kernel, self._now, new)
        self._now = new

    def remove(self) -> None:
        """No policy."""
        replace(self._kernel, self._now, None)
        self._now = None

    @property
    def way(self) -> str:
        """Where the stateless stage runs, if the policy has one: `xdp` or `nft`."""
        return self._now.force.way if self._now is not None and self._now.policy.stateless.rules else ""

    @property
    def notes(self) -> list[str]:
        """What could not be done in the best way, and why."""
        if self._now is None or not self._now.force.why:
            return []
        return [f"without XDP the stateless stage runs in nftables: {self._now.force.why}"]


def _source(policy: Policy) -> Source:
    """A name for the policy: the lab edits policies, and no file has their text."""
    return Source(Kind.POLICY, (("lab", hashlib.sha256(pickle.dumps(policy)).hexdigest()),))


@contextlib.contextmanager
def shield(policy: Policy, folder: Path) -> Iterator[Shield]:
    """Enforce a policy inside the `with` block."""
    armour = Shield(folder)
    armour.change(policy)
    try:
        yield armour
    finally:
        armour.remove()
