"""From what was played, what crossed and what replay says: one policy's column of the table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from twinwall.lab.crossing import Crossing
from twinwall.lab.header import header, matches
from twinwall.lab.messages import Cell
from twinwall.lab.rows import assign
from twinwall.lab.scenarios import Kind, Scenario
from twinwall.lab.twin import Said


@dataclass(frozen=True)
class Played:
    """A scenario that ran, or could not: `reached` is None, and `words` say why.

    `start` is when it began, in nanoseconds since 1970; `connections` is how many entries it left in the connection table.
    """

    scenario: Scenario
    start: int
    reached: bool | None
    words: str = ""
    connections: int = 0


@dataclass(frozen=True)
class Judged:
    """One packet that entered the firewall, and what replay says about it (None: it was not asked)."""

    crossing: Crossing
    said: Said | None

    @property
    def agreed(self) -> bool:
        """Whether the kernel and replay did the same."""
        return self.said is not None and self.said.passed == self.crossing.passed


def by_row(played: Sequence[Played], crossed: Sequence[Crossing], said: Sequence[Said]) -> list[list[Judged]]:
    """The packets of each row."""
    rows: dict[int, list[Judged]] = defaultdict(list)
    opinions: Sequence[Said | None] = said or [None] * len(crossed)
    for row, each, opinion in zip(assign(crossed, [one.start for one in played]), crossed, opinions, strict=True):
        rows[row].append(Judged(each, opinion))
    return [rows[row] for row in range(len(played))]


def cell(played: Played, packets: Sequence[Judged]) -> Cell:
    """One field of the table."""
    signature = played.scenario.signature
    counted = [each for each in packets if signature is None or matches(signature, header(each.crossing.packet))]
    arrived = sum(each.crossing.passed for each in counted)
    reached = played.reached
    if played.scenario.kind is Kind.ATTACK and reached is not None:
        reached = arrived > 0
    return Cell(
        reached=reached,
        words=played.words,
        sent=len(counted),
        arrived=arrived,
        judged=sum(each.said is not None for each in packets),
        agreed=sum(each.agreed for each in packets),
        connections=played.connections,
    )


def differences(played: Sequence[Played], rows: Sequence[Sequence[Judged]]) -> list[str]:
    """Every packet about which replay and the kernel disagree, in words."""
    return [
        f"{one.scenario.name}: {each.said.words}; the kernel {'passed' if each.crossing.passed else 'dropped'} it"
        for one, packets in zip(played, rows, strict=True)
        for each in packets
        if each.said is not None and not each.agreed
    ]
