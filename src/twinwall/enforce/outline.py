"""A policy in outline: each rule's words and a check sum of what they mean, and the settings.  What a difference needs to know.

It is kept beside the policy's texts, so that a plan need not read ten thousand rules again to say which of them differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, Self
from zlib import crc32

import orjson

from twinwall.policy.model import Policy, Rule
from twinwall.policy.sets import AddressSet, Intervals
from twinwall.rules.addresses import print_addresses

STAGES = ("stateless", "stateful")
NO_SETTINGS = ("rules", "span", "name", "origin", "interfaces", "flowbits")  # told as rules, or said elsewhere


class RuleLine(NamedTuple):
    """A rule: its numbers, its words, and the sum of the sets behind its variables."""

    gid: int
    sid: int
    text: str
    sum: int


@dataclass(frozen=True)
class Outline:
    """`settings`: by their places in the policy file, as one would write them there."""

    stateless: tuple[RuleLine, ...] = ()
    stateful: tuple[RuleLine, ...] = ()
    settings: Mapping[str, str] | None = None  # None: there is no policy
    interfaces: tuple[str, ...] = ()

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """The outline of a policy."""
        sums: dict[int, int] = {}  # of sets, by identity: variables are shared by many rules
        stateless, stateful = (tuple(_line(rule, sums) for rule in getattr(policy, stage).rules) for stage in STAGES)
        interfaces = policy.attach.interfaces if policy.attach else ()
        return cls(stateless, stateful, dict(_settings("", policy)), interfaces)

    def encode(self) -> bytes:
        """The file that keeps it."""
        lines = {stage: [list(line) for line in getattr(self, stage)] for stage in STAGES}
        return orjson.dumps({**lines, "settings": self.settings, "interfaces": self.interfaces})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read such a file.  Raises `ValueError` (or KeyError, TypeError) for anything else."""
        record = orjson.loads(data)
        lines = [tuple(RuleLine(*line) for line in record[stage]) for stage in STAGES]
        return cls(lines[0], lines[1], record["settings"], tuple(record["interfaces"]))


NOTHING = Outline()


def _line(rule: Rule, sums: dict[int, int]) -> RuleLine:
    total = _sum(rule.source, sums) ^ _sum(rule.destination, sums) * 3
    return RuleLine(
        rule.gid, rule.sid, rule.text, total ^ _sum_of_ports(rule.source_ports.ranges, rule.destination_ports.ranges)
    )


@lru_cache(maxsize=1024)
def _sum_of_ports(source: Intervals, destination: Intervals) -> int:
    return crc32(str((source, destination)).encode())


def _sum(addresses: AddressSet, sums: dict[int, int]) -> int:
    known = sums.get(id(addresses))
    if known is None:
        known = sums[id(addresses)] = crc32(str((addresses.v4, addresses.v6)).encode())
    return known


def _settings(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Every setting, as far down as they have names."""
    if is_dataclass(value) and not isinstance(value, type | AddressSet):
        for each in fields(value):
            if each.name not in NO_SETTINGS:
                yield from _settings(f"{name}.{each.name}" if name else each.name, getattr(value, each.name))
    else:
        yield name, words(value)


def words(value: object) -> str:
    """A setting as a policy file would say it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, Enum):
        return str(value.value if isinstance(value.value, str) else value.value[0])
    if isinstance(value, tuple):
        return f"[{', '.join(words(each) for each in value)}]"
    if isinstance(value, AddressSet):
        return print_addresses(value)
    if is_dataclass(value):
        said = ((each.name, getattr(value, each.name)) for each in fields(value) if each.name not in NO_SETTINGS)
        return f"{{{', '.join(f'{name}: {words(inner)}' for name, inner in said)}}}"
    return str(value)
