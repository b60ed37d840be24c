"""The chains of a ruleset while it is rendered: equal chains are written once, whatever asks for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

MOST = 15  # chains one behind another: the kernel follows 16, and the base chain that leads to a generation's own is one
LEADS_TO = re.compile(r"\b(?:goto|jump) (\w+)")


class Chains:
    """Chains in the order in which they were first asked for."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[str, ...]] = {}
        self._names: dict[tuple[str, ...], str] = {}

    def add(self, name: str, lines: Sequence[str]) -> str:
        """A chain of this name; the same lines may stand under another name too."""
        assert name not in self._lines, name
        self._lines[name] = tuple(lines)
        return name

    def share(self, name: str, lines: Sequence[str]) -> str:
        """The name of a chain with these lines: `name`, or what it was called when it was first asked for."""
        known = self._names.get(tuple(lines))
        if known is not None:
            return known
        free = name
        number = 1
        while free in self._lines:
            number += 1
            free = f"{name}_{number}"
        self._names[tuple(lines)] = free
        self._lines[free] = tuple(lines)
        return free

    def __contains__(self, name: str) -> bool:
        return name in self._lines

    def longest(self) -> list[str]:
        """The longest way of a packet from chain to chain."""

        @cache
        def way(name: str) -> list[str]:
            nexts = dict.fromkeys(found for line in self._lines.get(name, ()) for found in LEADS_TO.findall(line))
            return [name, *max((way(each) for each in nexts), key=len, default=[])]

        return max((way(name) for name in self._lines), key=len, default=[])

    def text(self) -> str:
        """All chains."""
        return "".join(
            f"\tchain {name} {{\n{''.join(f'{chr(9)}{chr(9)}{line}{chr(10)}' for line in lines)}\t}}\n"
            for name, lines in self._lines.items()
        )
