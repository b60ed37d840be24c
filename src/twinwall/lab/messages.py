"""What is asked of a world, and what comes back: pickled over the pipes between the lab and its workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from twinwall.policy.model import Policy


@dataclass(frozen=True)
class Job:
    """Play all scenarios under this policy."""

    name: str
    policy: Policy
    privileged: bool  # root of the machine, not only of a user namespace: XDP is possible
    costs: bool = False  # whether to measure for the page too


@dataclass(frozen=True)
class Progress:
    """A scenario begins."""

    job: str
    scenario: str


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
    stateless_in: str = ""  # xdp or nft; empty: no stateless stage
    rules: int = 0
    policy: str = ""  # its own name
    measurements: dict[str, float] = field(default_factory=dict)


class Failure(NamedTuple):
    """The world could not be built or broke: what `EnforcementError` is made of."""

    action: str
    cause: str
    remedy: str
