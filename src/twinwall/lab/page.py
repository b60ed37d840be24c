"""docs/stateful-or-stateless.md: what people ask about the two kinds of firewall, answered by runs of the lab.

The prose is `page.md`: it says what holds whatever the numbers are.  A line `<<name words>>` in it is replaced by what
`FILLERS` make of the run.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twinwall.lab import costs
from twinwall.lab.messages import Cell, CostsMeasured, Reloaded
from twinwall.lab.policies import FOLDER
from twinwall.lab.scenarios import SCENARIOS, Kind, Scenario
from twinwall.lab.table import Results

TEMPLATE = Path(__file__).parent / "page.md"
PLACE = re.compile(r"^<<(?P<name>[a-z-]+)(?P<words>[a-z0-9 -]*)>>$", re.MULTILINE)
FLOOD = "flood"


@dataclass(frozen=True)
class Run:
    """Everything that the page is made of."""

    results: Results
    reloaded: Mapping[str, Reloaded]  # by policy
    measured: CostsMeasured


def page(run: Run) -> str:
    """The whole page."""

    def fill(place: re.Match[str]) -> str:
        return FILLERS[place["name"]](run, place["words"].split()).rstrip()

    return PLACE.sub(fill, TEMPLATE.read_text())


def chosen(words: Sequence[str]) -> list[Scenario]:
    """The scenarios that a template's `rows` names, by kind or by name."""
    return [scenario for scenario in SCENARIOS if scenario.kind.value in words or scenario.name in words]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _names(run: Run) -> list[str]:
    return [outcome.name for outcome in run.results.outcomes]


def _rows(run: Run, words: Sequence[str]) -> str:
    return _table(["", *_names(run), "replay agrees"], (_row(run, scenario) for scenario in chosen(words)))


def _row(run: Run, scenario: Scenario) -> list[str]:
    cells = [outcome.cells[scenario.name] for outcome in run.results.outcomes]
    agreed, judged = sum(cell.agreed for cell in cells), sum(cell.judged for cell in cells)
    title = f"`{scenario.tool}`: {scenario.title}"
    return [title, *(_cell(scenario, cell) for cell in cells), f"{agreed:,} of {judged:,}"]


def _cell(scenario: Scenario, cell: Cell) -> str:
    if cell.reached is None:
        return cell.words
    if scenario.kind is Kind.WANTED:
        return "works" if cell.reached else "**fails**"
    text = f"{cell.arrived:,} of {cell.sent:,}"
    return f"**{text}**" if cell.reached else text


def _rules(run: Run, _: Sequence[str]) -> str:
    return _table(["", *_names(run)], [["rules", *(str(outcome.rules) for outcome in run.results.outcomes)]])


def _policy(_: Run, words: Sequence[str]) -> str:
    lines = (line.strip() for line in (FOLDER / f"{words[0]}.yaml").read_text().splitlines())
    return "\n".join(["```suricata", *(line for line in lines if line.startswith(("pass ", "drop "))), "```"])


def _entries(run: Run, _: Sequence[str]) -> str:
    counts = [f"{outcome.cells[FLOOD].connections:,}" for outcome in run.results.outcomes]
    return _table(["", *_names(run)], [["entries", *counts]])


def _memory(run: Run, _: Sequence[str]) -> str:
    size = run.measured.entry_bytes
    if size is None:
        return "How large an entry is, this kernel does not tell."
    return (
        f"An entry of the connection table takes {size} bytes in this kernel (its slab cache says so), so 100,000 connections\n"
        f"take {size * 100_000 / 1e6:.0f} MB; the hash table and the entries' extensions take a little more."
    )


def _packet_costs(run: Run, _: Sequence[str]) -> str:
    def row(kind: str) -> list[str]:
        none, *others = (run.measured.nanoseconds[costs.key(name, kind)] for name in costs.VARIANTS)
        return [f"a packet {kind}", f"{none:,.0f} ns", *(f"{each:,.0f} ns ({each - none:+,.0f})" for each in others)]

    return _table(["", "no firewall", "stateless", "stateful"], (row(kind) for kind in costs.KINDS))


def _reloads(run: Run, _: Sequence[str]) -> str:
    every = run.reloaded.values()
    steps = [step.to for step in next(iter(every)).changes]
    rows = [
        [f"an ssh session, {step}", *("goes on" if each.changes[place].alive else "silent" for each in every)]
        for place, step in enumerate(steps)
    ]
    rows.append(["pings answered during the ten changes", *(f"{each.received} of {each.pings}" for each in every)])
    rows.append(["time of a change", *(f"{each.seconds * 1000:.0f} ms" for each in every)])
    return _table(["", *run.reloaded], rows)


def _machine(run: Run, _: Sequence[str]) -> str:
    ways = {outcome.stateless_in for outcome in run.results.outcomes} - {""}
    stages = " and ".join({"xdp": "XDP", "nft": "nftables"}[way] for way in sorted(ways))
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"Linux {kernel}, {os.cpu_count()} processors, as {run.results.ground}; the stateless stage in {stages}. "
        f"A cost is the best of {costs.ROUNDS * costs.PASSES} rounds."
    )


FILLERS: Mapping[str, Callable[[Run, Sequence[str]], str]] = {
    "rules": _rules,
    "policy": _policy,
    "rows": _rows,
    "entries": _entries,
    "memory": _memory,
    "packet-costs": _packet_costs,
    "reloads": _reloads,
    "machine": _machine,
}
