"""How much of an export was understood: every member of every file, counted as understood, ignored or refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from twinwall.formats.aws.findings import Findings, place
from twinwall.formats.json.value import Value

NAME_MAPS = frozenset({"IPSets", "PortSets", "ContextSets", "IPSetReferences", "RuleVariables"})


class Treatment(StrEnum):
    """What became of a member."""

    UNDERSTOOD = "understood"  # read, and it counts
    IGNORED = "ignored"  # not looked at: metadata, or newer than this reader
    REFUSED = "refused"  # named in a diagnostic


@dataclass(frozen=True, slots=True, order=True)
class MemberCount:
    """A member by its path (array elements and the user's own names left out), what became of it, and how often."""

    path: str
    treatment: Treatment
    count: int


@dataclass(frozen=True, slots=True)
class AwsReport:
    """The members of all files, by path."""

    members: tuple[MemberCount, ...] = ()

    def total(self, treatment: Treatment) -> int:
        """How many members were treated so."""
        return sum(member.count for member in self.members if member.treatment is treatment)

    def lines(self) -> Iterator[str]:
        """The report for people: the totals, then whatever was not understood."""
        yield ", ".join(f"{self.total(treatment)} {treatment.value}" for treatment in Treatment)
        for member in self.members:
            if member.treatment is not Treatment.UNDERSTOOD:
                yield f"{member.treatment.value}: {member.path} ({member.count})"


def make_report(roots: Sequence[Value], findings: Findings) -> AwsReport:
    """Count the members of all documents.  What stands inside an ignored or refused member is not counted on its own."""
    counts: Counter[tuple[str, Treatment]] = Counter()
    for root in roots:
        _count(root, "", findings, counts)
    return AwsReport(tuple(sorted(MemberCount(path, treatment, count) for (path, treatment), count in counts.items())))


def _count(value: Value, path: str, findings: Findings, counts: Counter[tuple[str, Treatment]]) -> None:
    if isinstance(value.content, list):
        for item in value.content:
            _count(item, path, findings, counts)
    if not isinstance(value.content, dict):
        return
    for name, member in value.content.items():
        inner = f"{path}.{_shown(name, path)}" if path else _shown(name, path)
        if place(member) in findings.refused:
            treatment = Treatment.REFUSED
        else:
            treatment = Treatment.UNDERSTOOD if place(member) in findings.seen else Treatment.IGNORED
        counts[inner, treatment] += 1
        if treatment is Treatment.UNDERSTOOD:
            _count(member, inner, findings, counts)


def _shown(name: str, path: str) -> str:
    """A member's name, or `*` where the user chose it; whatever cannot be the schema's is shortened."""
    if path.rpartition(".")[2] in NAME_MAPS:
        return name if name in NAME_MAPS else "*"
    return name if re.fullmatch(r"[A-Za-z0-9]{1,64}", name) else "?"
