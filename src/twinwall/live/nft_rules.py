"""The rules of one of our tables by their handles, without the elements of their sets: what a trace speaks of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from twinwall.live.error import EnforcementError
from twinwall.live.nft import TABLES, Table, ask

SID = re.compile(r"sid (\d+)")


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """One line of the ruleset: the counters that it names, the sid of the rule it was rendered from, the map it asks."""

    counters: tuple[str, ...] = ()
    sid: int | None = None
    map: str = ""
    key: tuple[str, ...] = ()  # the fields that are looked up in the map, such as `ip saddr`, `th dport`


Handle = tuple[str, int]  # a chain, and a rule's number in the table


def rule_facts(table: Table) -> dict[Handle, RuleFacts]:
    """All rules of a table; none if there is no such table.  Raises `EnforcementError`."""
    assert table in TABLES, "only our own tables are looked at"
    try:
        said = ask(["--json", "--terse", "list", "table", *table], f"list table {table.family} {table.name}")
    except EnforcementError as error:
        if "No such file" in error.cause:
            return {}
        raise
    rules = [each["rule"] for each in json.loads(said)["nftables"] if "rule" in each]
    return {(rule["chain"], rule["handle"]): _facts(rule) for rule in rules}


def element_sid(table: Table, name: str, key: tuple[str, ...]) -> int | None:
    """The sid of the rule whose element of a map holds `key`; None if there is none."""
    arguments = ["get", "element", *table, name, f"{{ {' . '.join(key)} }}"]
    try:
        said = ask(arguments, f"look into map {name}")  # in JSON, nft 1.0.6 prints nothing
    except EnforcementError:
        return None
    found = SID.search(said)
    return int(found[1]) if found else None


def _facts(rule: dict[str, Any]) -> RuleFacts:
    counters = tuple(each["counter"].partition(".")[0] for each in rule["expr"] if isinstance(each.get("counter"), str))
    sid = SID.fullmatch(rule.get("comment", ""))
    name, key = next(_lookups(rule["expr"]), ("", ()))
    return RuleFacts(counters, int(sid[1]) if sid else None, name, key)


def _lookups(expressions: list[dict[str, Any]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The named verdict maps that a rule asks, with the fields of the key."""
    for each in expressions:
        asked = each.get("vmap")
        if asked is not None and isinstance(asked["data"], str):
            key = asked["key"]
            fields = key.get("concat", [key])
            names = [field.get("payload", {}) for field in fields]
            yield asked["data"].removeprefix("@"), tuple(f"{name.get('protocol')} {name.get('field')}" for name in names)
