"""What a ruleset depends on beside the policy: what the kernel can do, and what is in force already."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StatelessWay(StrEnum):
    """Who judges packets alone: the XDP program, or a netdev chain."""

    XDP = "xdp"
    NFT = "nft"


class QueueWay(StrEnum):
    """How packets get to the inspector: nft's own statement, a table with the xtables target (`live`), or not at all."""

    NATIVE = "native"
    TARGET = "target"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """`kept`: generations whose passed flows live on.  `witness`: an NFLOG group that hears of every verdict (tests).

    `digest` names the policy in the marker, so that what is in force can be read back.
    """

    generation: int = 1
    stateless: StatelessWay = StatelessWay.XDP
    queue: QueueWay = QueueWay.NONE
    kept: frozenset[int] = frozenset()
    witness: int | None = None
    digest: str = ""
