"""Rules as entries: what a table has one bit for.  A `<>` rule is two entries, one for each way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twinwall.policy.model import Rule
from twinwall.policy.sets import AddressSet, PortSet


@dataclass(frozen=True, slots=True)
class Entry:
    """One way round of rule number `index`."""

    index: int
    rule: Rule
    source: AddressSet
    source_ports: PortSet
    destination: AddressSet
    destination_ports: PortSet


def entries_of(rules: Sequence[Rule]) -> tuple[Entry, ...]:
    """The entries of `rules`, in order; both halves of a `<>` rule stand together."""
    entries: list[Entry] = []
    for index, rule in enumerate(rules):
        ahead = (rule.source, rule.source_ports, rule.destination, rule.destination_ports)
        entries.append(Entry(index, rule, *ahead))
        back = (rule.destination, rule.destination_ports, rule.source, rule.source_ports)
        if rule.bidirectional and back != ahead:
            entries.append(Entry(index, rule, *back))
    return tuple(entries)
