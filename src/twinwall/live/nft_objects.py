"""What one of our tables is made of, by name: base chains that stay, and objects that are named after a generation.

Asked over netlink, because `nft` reads every element to get at a name.  Written against <linux/netfilter/nf_tables.h>.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from twinwall.live.netlink import NETLINK_NETFILTER, NetlinkError, NetlinkSocket, attributes, text
from twinwall.live.nft import TABLES, Table
from twinwall.live.table_comment import FAMILIES, FAMILY_HEADER, comment
from twinwall.render.switch import IN_FORCE, Hook, generation_of

GET_CHAIN, GET_RULE, GET_SET, GET_OBJECT = (10 << 8 | number for number in (4, 7, 10, 19))
TABLE_NAME = 1  # of each of them
CHAIN_NAME, CHAIN_HOOK = 3, 4
SET_NAME, SET_FLAGS, ANONYMOUS, MAP = 2, 3, 1, 8
OBJECT_NAME = 2
RULE_CHAIN, RULE_COMMENT = 2, 7
RULESETS = tuple(table for table in TABLES if table.name == "twinwall")  # those whose base chains stay

Attributes = dict[int, bytes]


class Object(NamedTuple):
    """`kind` as nft calls it; `hooked`: a base chain."""

    table: Table
    kind: str
    name: str
    hooked: bool = False

    @property
    def path(self) -> str:
        """How nft finds it, behind its kind."""
        return f"{self.table.family} {self.table.name} {self.name}"


def objects(table: Table) -> list[Object]:
    """All chains, sets, maps and counters; none if there is no such table.  Raises `EnforcementError`."""
    found = [
        Object(table, "chain", _name(each[CHAIN_NAME]), CHAIN_HOOK in each) for each in _dump(table, GET_CHAIN, CHAIN_NAME)
    ]
    for each in _dump(table, GET_SET, SET_NAME):
        flags = int.from_bytes(each.get(SET_FLAGS, b""))
        if not flags & ANONYMOUS:
            found.append(Object(table, "map" if flags & MAP else "set", _name(each[SET_NAME])))
    return found + [Object(table, "counter", _name(each[OBJECT_NAME])) for each in _dump(table, GET_OBJECT, OBJECT_NAME)]


def marker_text(table: Table) -> str | None:
    """What the table says of the policy that its base chains lead to.  Raises `EnforcementError`."""
    rules = _dump(table, GET_RULE, RULE_CHAIN, text(RULE_CHAIN, IN_FORCE))
    return next((comment(each.get(RULE_COMMENT, b"")) for each in rules if _name(each[RULE_CHAIN]) == IN_FORCE), None)


def staged_generation(table: Table) -> int | None:
    """The generation that the objects of a netdev table are named after."""
    return next((number for each in objects(table) if (number := generation_of(each.name)) is not None), None)


def unhook(keep: Iterable[Hook] = (), tables: Iterable[Table] = RULESETS) -> str:
    """The script that takes every base chain of `tables` away but those of `keep`; with none to keep, the marker too."""
    kept = {(hook.table, hook.chain) for hook in keep}

    def goes(each: Object) -> bool:
        staying = (f"{each.table.family} {each.table.name}", each.name) in kept
        return (each.hooked and not staying) or (each.name == IN_FORCE and not kept)

    return _removal(each for table in tables for each in objects(table) if goes(each))


def sweep(stale: Callable[[int | None], bool]) -> str:
    """The script that removes what is named after generations that are `stale` (None: after none)."""

    def goes(each: Object) -> bool:
        return not each.hooked and each.name != IN_FORCE and stale(generation_of(each.name))

    return _removal(each for table in RULESETS for each in objects(table) if goes(each))


def _removal(gone: Iterable[Object]) -> str:
    """Rules refer to chains, sets and counters, elements of maps to chains: in that order."""
    there = list(gone)
    lines = [f"flush chain {each.path}\n" for each in there if each.kind == "chain"]
    for kinds in (("map", "set"), ("chain",), ("counter",)):
        lines += [f"delete {each.kind} {each.path}\n" for each in there if each.kind in kinds]
    return "".join(lines)


def _dump(table: Table, kind: int, named: int, more: bytes = b"") -> Iterator[Attributes]:
    """The objects of one kind that have the attribute `named`."""
    payload = FAMILY_HEADER.pack(FAMILIES[table.family], 0, 0) + text(TABLE_NAME, table.name) + more
    with NetlinkSocket(NETLINK_NETFILTER) as kernel:
        try:
            messages = kernel.dump(f"read table {table.family} {table.name}", kind, payload)
        except NetlinkError as error:
            if error.number in (errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
                return
            raise
    for message in messages:
        found = attributes(message.payload, FAMILY_HEADER.size)
        if _name(found.get(TABLE_NAME, b"")) == table.name and named in found:
            yield found


def _name(value: bytes) -> str:
    return value.rstrip(b"\0").decode()
