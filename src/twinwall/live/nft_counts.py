"""What our tables have counted: packets and bytes by rule of either stage, and by verdict and reason.

Each rule's share is spread over the elements and lines that were rendered from it; all of them carry its sid as a comment.
The elements of `known_flows` are verdicts too: what they have counted is in no counter beside them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from twinwall.live.nft import Listing
from twinwall.render.fast import KNOWN, counted_as
from twinwall.render.stateless import OUTPUT
from twinwall.render.switch import plain_name

SID = re.compile(r"sid (\d+)")


class Count(NamedTuple):
    """Packets, and their bytes from the IP header on."""

    packets: int = 0
    bytes: int = 0

    def plus(self, other: Count) -> Count:
        """Both together."""
        return Count(self.packets + other.packets, self.bytes + other.bytes)


@dataclass(frozen=True)
class Counts:
    """`verdicts` by counter name, such as `drop_invalid`: together they are all packets that were judged."""

    stateless: defaultdict[int, Count] = field(default_factory=lambda: defaultdict(Count))
    stateful: defaultdict[int, Count] = field(default_factory=lambda: defaultdict(Count))
    verdicts: dict[str, Count] = field(default_factory=dict)

    def add_verdict(self, name: str, counted: Count) -> None:
        """Packets more of a verdict."""
        self.verdicts[name] = self.verdicts.get(name, Count()).plus(counted)


class _Share(NamedTuple):
    """What one element or line has counted, and of which rule."""

    stateless: bool
    sid: int
    counted: Count


def read_counts(listing: Listing) -> Counts:
    """Add up the listing of one of our tables (`nft.listing`)."""
    found = Counts()
    for each in listing:
        ((kind, record),) = each.items()
        if kind == "counter":
            name = plain_name(record["name"])
            found.add_verdict(name, _count(record))
        if kind == "map" and plain_name(record["name"]) == KNOWN:
            for element in (each["elem"] for each, _ in record["elem"] if "counter" in each["elem"]):
                found.add_verdict(counted_as(element["val"]), _count(element["counter"]))
        for share in _shares(kind, record):
            rules = found.stateless if share.stateless else found.stateful
            rules[share.sid] = rules[share.sid].plus(share.counted)
    return found


def _shares(kind: str, record: dict[str, Any]) -> Iterator[_Share]:
    name = record.get("chain") if kind == "rule" else record.get("name")
    stateless = record.get("family") == "netdev" or str(name).startswith(OUTPUT)
    if kind == "rule":
        counters = [part["counter"] for part in record["expr"] if isinstance(part.get("counter"), dict)]
        yield from _share(stateless, record.get("comment", ""), counters)
    elif kind in ("map", "set"):
        for element in record.get("elem", ()):
            inner = element[0] if isinstance(element, list) else element
            if isinstance(inner, dict) and "elem" in inner:
                counters = [inner["elem"]["counter"]] if "counter" in inner["elem"] else []
                yield from _share(stateless, inner["elem"].get("comment", ""), counters)


def _share(stateless: bool, comment: str, counters: list[dict[str, int]]) -> Iterator[_Share]:
    sid = SID.fullmatch(comment)
    if sid is not None and counters:
        yield _Share(stateless, int(sid[1]), _count(counters[0]))


def _count(record: dict[str, int]) -> Count:
    return Count(record["packets"], record["bytes"])
