"""What is asked of a world, and what comes back: pickled over the pipes between the lab and its workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from twinwall.policy.diagnostic import Diagnostic
from twinwall.policy.model import Policy


@dataclass(frozen=True)
class Task:
    """What a world is for.  `privileged`: root of the machine, not only of a user namespace; XDP is possible."""

    name: str
    privileged: bool


@dataclass(frozen=True)
class Play(Task):
    """Play all scenarios under a policy."""

    policy: Policy


@dataclass(frozen=True)
class Reload(Task):
    """Change the policy under an ssh session."""

    policy: Policy


@dataclass(frozen=True)
class Costs(Task):
    """Measure what packets cost."""


@dataclass(frozen=True)
class Progress:
    """Something begins."""

    task: str
    step: str


@dataclass(frozen=True)
class Cell:
    """One scenario under one policy.

    `reached`: of a wanted row, whether the program reached its goal; of an attack, whether anything got in.  None: it could not
    be played, and `words` says why.  `sent` and `arrived` count the packets of the row (an attack's: those of its signature).
    `agreed` of `judged` packets had the fate that replay says.
    """

    reached: bool | None
    words: str
    sent: int = 0
    arrived: int = 0
    judged: int = 0
    agreed: int = 0
    connections: int = 0  # how many entries the row left in the connection table


@dataclass(frozen=True)
class Outcome:
    """What happened under one policy."""

    name: str
    cells: dict[str, Cell]
    differences: list[str]  # packets about which replay and the kernel disagree
    notes: list[str]  # what could not be done as asked, and why
    stateless_in: str  # xdp or nft; empty: no stateless rules
    rules: int


@dataclass(frozen=True)
class Change:
    """A change of the policy, and whether the session answered afterwards."""

    to: str
    alive: bool


@dataclass(frozen=True)
class Reloaded:
    """What changes did; `seconds` each took while `pings` were sent, of which `received` came back."""

    changes: list[Change]
    pings: int
    received: int
    seconds: float


@dataclass(frozen=True)
class CostsMeasured:
    """Nanoseconds a packet by `costs.key`; how many bytes a connection's entry takes (None: unknown)."""

    nanoseconds: dict[str, float]
    entry_bytes: int | None


class Failure(NamedTuple):
    """The world could not be built or broke: what `EnforcementError` is made of."""

    action: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Refused:
    """The policy cannot be enforced: what `PolicyError` is made of."""

    diagnostics: tuple[Diagnostic, ...]
