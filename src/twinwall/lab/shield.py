"""The policy between the inside and the outside, enforced by the product's own means."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinwall.policy.model import Policy


@dataclass(frozen=True)
class Armour:
    """How the policy is enforced: where the stateless stage runs, and what could not be done as asked."""

    stateless_in: str
    notes: list[str] = field(default_factory=list)


@contextlib.contextmanager
def shield(policy: Policy, folder: Path, *, xdp: bool) -> Iterator[Armour]:
    """Enforce the policy inside the `with` block."""
    yield Armour("")
