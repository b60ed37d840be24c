"""Which policy the kernel holds.  The switch is one transaction, and this is a part of it: it cannot say the wrong thing."""

from __future__ import annotations

import re
from dataclasses import dataclass

PATTERN = re.compile(r"twinwall ([0-9a-f]+) generation ([1-7])")


@dataclass(frozen=True)
class Marker:
    """A policy's digest and the generation in which it was loaded."""

    digest: str
    generation: int

    @classmethod
    def parse(cls, comment: str | None) -> Marker | None:
        """The marker in a comment (`live.nft_objects.marker_text`); None if there is none."""
        found = PATTERN.fullmatch(comment or "")
        return cls(found[1], int(found[2])) if found else None

    def __str__(self) -> str:
        return f"twinwall {self.digest} generation {self.generation}"
