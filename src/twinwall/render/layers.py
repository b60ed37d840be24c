"""Matches in order, as a short list of lookups that finds the same first match.

Inside one map, elements must not overlap.  So every box gets a *level*, such that of two boxes that overlap the earlier rule's
is looked up first: a level above the highest of the earlier boxes that it overlaps, or the same level where its map is looked
up later inside a level.  All boxes of one level and one *kind* (what is not in the key: contexts and guard) are one map.

How many lookups there are depends on how deep rules overlap, not on how many there are: ten thousand rules for ten thousand
servers are one.  The overlap test is quadratic, in NumPy: 10,000 rules take about 0.1 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twinwall.render.match import FIELDS, Box, Guard, Match, everything

MANY_EXACT = 32  # so many boxes that ask for single values of the same fields get a hash table of their own
TOGETHER = 1 << 18  # pairs of units that are compared in one go: NumPy is called seldom, and memory stays small
LINE = ("line",)

Kind = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A box of a match, or a whole match (`box` is then its hull)."""

    match: Match
    box: Box
    whole: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One lookup: units that do not overlap and ask the same beside the key; or one whole match.  `places`: in the plan."""

    contexts: int
    guard: Guard
    places: tuple[int, ...]
    whole: bool


@dataclass(frozen=True)
class Plan:
    """The steps in order.  `pairs`: for every unit (by place in `units`) the earlier units that it overlaps in some context.

    `words` are what the units say; `words.with_hindsight` adds to them what follows from the plan.
    """

    family: int
    units: tuple[Unit, ...]
    words: tuple[int, ...]
    steps: tuple[Step, ...]
    pairs: tuple[NDArray[np.int64], ...]

    def units_of(self, step: Step) -> list[Unit]:
        """The units of one of the steps."""
        return [self.units[place] for place in step.places]

    def words_of(self, step: Step) -> list[int]:
        """The decision words of one of the steps."""
        return [self.words[place] for place in step.places]


def plan_steps(matches: Sequence[Match], family: int) -> Plan:
    """Schedule `matches`, which stand in the order of evaluation."""
    units = tuple(unit for match in matches if not match.is_empty for unit in _units(match, family))
    kinds = _kinds(units, family)
    numbers: dict[Kind, int] = {}
    which = np.array([numbers.setdefault(kind, len(numbers)) for kind in kinds], np.int64)
    line = np.array([unit.whole for unit in units], np.bool_)
    pairs = overlaps(units)
    level = np.zeros(len(units), np.int64)
    for at, earlier in enumerate(pairs):
        if len(earlier):
            again = which[earlier] >= which[at]
            if line[at]:
                again &= ~line[earlier]
            level[at] = int((level[earlier] + again).max())
    return Plan(family, units, tuple(unit.match.word for unit in units), tuple(_steps(units, level, which)), pairs)


def _units(match: Match, family: int) -> list[Unit]:
    boxes = match.boxes
    if boxes and boxes != (everything(family),):
        return [Unit(match, box, whole=False) for box in boxes]
    return [Unit(match, match.hull, whole=True)]


def _kinds(units: Sequence[Unit], family: int) -> list[Kind]:
    every = everything(family)
    exact = [None if unit.whole else _exact(unit.box, every) for unit in units]
    base = [(unit.match.contexts, unit.match.guard) for unit in units]
    common = Counter((*kind, fields) for kind, fields in zip(base, exact, strict=True) if fields is not None)
    found: list[Kind] = []
    for unit, kind, fields in zip(units, base, exact, strict=True):
        if unit.whole:
            found.append(LINE)
        else:
            found.append((*kind, fields if fields is not None and common[(*kind, fields)] >= MANY_EXACT else None))
    return found


def _exact(box: Box, every: Box) -> tuple[int, ...] | None:
    """The fields a box asks for, if it asks for one value of each."""
    fields: list[int] = []
    for field in range(FIELDS):
        if box[field] != every[field]:
            if box[field][0] != box[field][1]:
                return None
            fields.append(field)
    return tuple(fields)


def overlaps(units: Sequence[Unit]) -> tuple[NDArray[np.int64], ...]:
    """For every unit the places of the earlier ones that it overlaps, in some context that both are asked in."""
    low, high = _ranks(units)
    contexts = np.array([unit.match.contexts for unit in units], np.int64)
    found: list[NDArray[np.int64]] = []
    rows = TOGETHER // max(len(units), 1) + 1
    for first in range(0, len(units), rows):
        found += _overlapped(low, high, contexts, first, min(first + rows, len(units)))
    return tuple(found)


def _overlapped(
    low: NDArray[np.int32], high: NDArray[np.int32], contexts: NDArray[np.int64], first: int, end: int
) -> Iterator[NDArray[np.int64]]:
    """The same for the units from `first` on, compared all at once with everything before `end`."""
    near = (low[0, :end] <= high[0, first:end, None]) & (high[0, :end] >= low[0, first:end, None])
    later, earlier = np.divmod(np.flatnonzero(near), end)
    later += first
    kept = (earlier < later) & (contexts[earlier] & contexts[later] != 0)
    for field in range(1, FIELDS):
        later, earlier = later[kept], earlier[kept]
        kept = (low[field][earlier] <= high[field][later]) & (high[field][earlier] >= low[field][later])
    later, earlier = later[kept], earlier[kept]
    bounds = np.searchsorted(later, np.arange(first, end + 1)).tolist()
    return (earlier[start:stop] for start, stop in pairwise(bounds))


def _ranks(units: Sequence[Unit]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The bounds of all boxes by field; values of any size become their place among all bounds of the field."""
    shape = (FIELDS, len(units))
    low, high = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for row, field in enumerate(_by_choice(units)):
        bounds = sorted({value for unit in units for value in unit.box[field]})
        rank = {value: place for place, value in enumerate(bounds)}
        low[row] = [rank[unit.box[field][0]] for unit in units]
        high[row] = [rank[unit.box[field][1]] for unit in units]
    return low, high


def _by_choice(units: Sequence[Unit]) -> list[int]:
    """The fields, the one with the most different values first: it rules out most pairs."""
    return sorted(range(FIELDS), key=lambda field: (-len({unit.box[field] for unit in units}), field))


def _steps(units: Sequence[Unit], level: NDArray[np.int64], which: NDArray[np.int64]) -> Iterator[Step]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for at in np.lexsort((np.arange(len(units)), which, level)).tolist():
        alone = (at,) if units[at].whole else ()
        groups.setdefault((int(level[at]), int(which[at]), *alone), []).append(at)
    for places in groups.values():
        first = units[places[0]]
        yield Step(first.match.contexts, first.match.guard, tuple(places), first.whole)
