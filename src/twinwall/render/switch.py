"""A ruleset in pieces that can be put into the kernel beside the one in force, and then take its place at one instant.

`nft -f` is a transaction, and yet replacing a whole table in one loses packets and may pass wrong ones.  The kernel runs the
new rules at once but publishes the contents of sets with intervals a little later, up to a millisecond with 10,000 elements.
And a base chain that replaces another one at the same hook stands before it for an instant: a packet that met the new one
before the switch (when it had no rules yet) and meets the old one after it (when it has none any more) is judged by neither.

So the base chains stay, and all that they hold is one `goto` and perhaps a shortcut; everything else is named after its
generation (`judge.3`):

    stage   sets, maps, counters and ordinary chains of the new generation, which nothing refers to
    switch  the rules of each base chain are replaced, and the marker; nothing with elements is in it
    sweep   what is named after another generation goes: `live.nft_objects` looks for it

A shortcut says nothing that the generation's own chain does not say too: it ends the way of nearly every packet two chains
earlier, and compares an interface's number instead of its name, which costs a quarter of it.  Who loads the switch knows the
numbers; an interface that comes back under another one has no shortcut until the guard, or the next change, has written it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

IN_FORCE = "in_force"  # a chain without a hook, whose one rule says in its comment which policy the base chains lead to
BASE = re.compile(r"^\tchain (\w+) \{\n\t\t(type [^\n]*)\n", re.MULTILINE)
NAMES = re.compile(
    r"(?:goto |jump |counter name |@(?!(?:ll|nh|th|ih),)|\n\t(?:chain|set|map|counter) "
    r"|\n(?:add element|add chain|flush chain|add rule) \w+ \w+ )\w+"
)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A rule that stands in the base chain itself, with names as they are without a generation.

    `interfaces`: it holds for packets that come in by one of these, and is written once for each.
    """

    rule: str
    interfaces: tuple[str, ...] = ()

    def rules(self, generation: int, indexes: Mapping[str, int]) -> list[str]:
        """The rule, for interfaces that there are; `indexes`: their numbers by name."""
        rule = under_generation(self.rule, generation)
        if not self.interfaces:
            return [rule]
        return [f"iif {indexes[name]} {rule}" for name in self.interfaces if name in indexes]


@dataclass(frozen=True, slots=True)
class Hook:
    """A base chain: `head` is its type, hook and priority."""

    table: str
    chain: str
    head: str
    shortcut: Shortcut | None = None

    def shortcuts(self, generation: int, indexes: Mapping[str, int]) -> list[str]:
        """The rules before the `goto`."""
        return self.shortcut.rules(generation, indexes) if self.shortcut else []


@dataclass(frozen=True, slots=True)
class TableText:
    """One table, its base chains with their rules in it.  `filled`: the commands that follow it."""

    table: str
    body: str
    filled: str = ""
    shortcuts: Mapping[str, Shortcut] = field(default_factory=dict)  # by base chain

    def replaced(self) -> str:
        """The table in the place of an earlier one, whether there is one or not."""
        return f"table {self.table}\ndelete table {self.table}\ntable {self.table} {{\n{self.body}}}\n{self.filled}"

    def staged(self, generation: int) -> str:
        """Everything but the base chains, under the names of a generation."""
        return under_generation(f"table {self.table} {{\n{BASE.sub(_unhooked, self.body)}}}\n{self.filled}", generation)

    def hooks(self) -> Iterator[Hook]:
        """Its base chains."""
        return (Hook(self.table, chain, head, self.shortcuts.get(chain)) for chain, head in BASE.findall(self.body))


def _unhooked(found: re.Match[str]) -> str:
    return f"\tchain {found[1]} {{\n"


def marker_line(digest: str, generation: int) -> str:
    """The rule that says which policy is in force."""
    return f'return comment "twinwall {digest} generation {generation}"'


def marker_chain(digest: str, generation: int) -> str:
    """The chain of the marker, for a script that is loaded by hand."""
    return f"\tchain {IN_FORCE} {{\n\t\t{marker_line(digest, generation)}\n\t}}\n"


def hook_text(hooks: Iterable[Hook], generation: int, indexes: Mapping[str, int] | None = None) -> str:
    """Let base chains lead to what was staged for a generation, whether they are there already or not."""
    return "".join(
        only_rules(hook, *hook.shortcuts(generation, indexes or {}), f"goto {hook.chain}.{generation}") for hook in hooks
    )


def switch_text(hooks: Iterable[Hook], generation: int, marker: Hook, digest: str, indexes: Mapping[str, int]) -> str:
    """The switch; `marker` is the chain of the marker."""
    return hook_text(hooks, generation, indexes) + only_rules(marker, marker_line(digest, generation))


def only_rules(hook: Hook, *rules: str) -> str:
    """Let a chain hold these rules and no other, whether it is there already or not."""
    chain = f"{hook.table} {hook.chain}"
    head = f" {{ {hook.head} }}" if hook.head else ""
    added = "".join(f"add rule {chain} {rule}\n" for rule in rules)
    return f"add chain {chain}{head}\nflush chain {chain}\n{added}"


def under_generation(text: str, generation: int) -> str:
    """A script with everything in it named after a generation."""
    parts = f"\n{text}".split('"')
    named = parts[::2]  # the others are quoted, and name nothing
    parts[::2] = NAMES.sub(rf"\g<0>.{generation}", "\0".join(named)).split("\0")
    return '"'.join(parts)[1:]


def generation_of(name: str) -> int | None:
    """The generation that an object is named after; None: it is of no one generation."""
    generation = name.rpartition(".")[2]
    return int(generation) if "." in name else None


def plain_name(name: str) -> str:
    """An object's name without its generation."""
    return name.partition(".")[0]
