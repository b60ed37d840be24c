"""What a rule asks of addresses and ports, as boxes: a product of four intervals, which is what one map element can hold.

A `Match` is one rule as one family of addresses and one class of protocols see it.  It becomes boxes if they are few; a match
with many (a variable of 100,000 networks) stays whole, and is rendered as one line that looks into named sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from twinwall.policy.sets import TOP_PORT, TOP_V4, TOP_V6, Intervals, complement, intersect

SOURCE, DESTINATION, SOURCE_PORT, DESTINATION_PORT = range(4)
FIELDS = 4
TOPS = {4: (TOP_V4, TOP_V4, TOP_PORT, TOP_PORT), 6: (TOP_V6, TOP_V6, TOP_PORT, TOP_PORT)}
MOST_BOXES = 64  # of one match; beyond that, it stays whole

Region = tuple[Intervals, Intervals, Intervals, Intervals]
Gate = tuple[str, ...]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Guard:
    """What else must hold, and what else happens, as nftables text.

    `text` stands in front of the lookup.  A gate is a chain of its own that goes on to `{next}` if the packet fits: for what
    one line cannot say.  `effects` are statements that run on a match.
    """

    text: str = ""
    gates: tuple[Gate, ...] = ()
    effects: str = ""


NO_GUARD = Guard()


@dataclass(frozen=True, slots=True)
class Match:
    """A rule's part in one class of packets.

    `place` orders matches, and is the same for the parts of one rule.  `word` is what a packet's mark becomes.  `contexts` has
    a bit for each context in which the rule is asked.  `guard` is not compared, only kept apart.  `whole` asks for a line of
    its own.
    """

    place: int
    sid: int
    word: int
    region: Region
    contexts: int = 1
    guard: Guard = NO_GUARD
    whole: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no packet can match."""
        return not all(self.region)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes, disjoint; none if there would be more than `MOST_BOXES`, or the match asks for a line."""
        if self.whole or prod(map(len, self.region)) > MOST_BOXES:
            return ()
        return tuple(product(*self.region))

    @property
    def hull(self) -> Box:
        """The smallest box around the match."""
        return tuple((part[0][0], part[-1][1]) for part in self.region)  # type: ignore[return-value] # of four


def without(match: Match, taken: Region, family: int) -> Iterator[Match]:
    """`match` less what lies in `taken`, as disjoint matches: how the way back of a two-way rule leaves out the way ahead."""
    common: list[Intervals] = []
    for field in range(FIELDS):
        rest = intersect(match.region[field], complement(taken[field], TOPS[family][field]))
        if rest:
            yield replace(match, region=(*common, rest, *match.region[field + 1 :]))  # type: ignore[arg-type] # of four
        common.append(intersect(match.region[field], taken[field]))
        if not common[-1]:
            return


def everything(family: int) -> Box:
    """The box that asks nothing."""
    source, destination, source_port, destination_port = ((0, top) for top in TOPS[family])
    return (source, destination, source_port, destination_port)


def asked_fields(boxes: Sequence[Box], family: int) -> tuple[int, ...]:
    """The fields that at least one of the boxes asks for."""
    every = everything(family)
    return tuple(field for field in range(FIELDS) if any(box[field] != every[field] for box in boxes))


def each_once(found: Iterable[Match | None], family: int) -> Iterator[Match]:
    """The matches of entries in their order; the way back of a two-way rule without what its way ahead has."""
    ahead: Match | None = None
    for match in found:
        if match is None:
            continue
        if ahead is not None and ahead.place == match.place:
            yield from without(match, ahead.region, family)
        else:
            yield match
        ahead = match
