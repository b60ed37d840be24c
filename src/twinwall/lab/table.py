"""The results as a table for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twinwall.lab.messages import Cell, Outcome
from twinwall.lab.scenarios import SCENARIOS, Kind, Scenario

HEADINGS = {Kind.WANTED: "What should work", Kind.ATTACK: "What should not get in: packets that did, of those sent"}
GOOD, BAD, UNKNOWN = "green", "red", "dim"
SHOWN = 10  # differences that are told in words
STAGES = {"xdp": "stateless stage in XDP", "nft": "stateless stage in nftables"}


@dataclass(frozen=True)
class Results:
    """What every policy came to, and where the lab stood."""

    ground: str
    outcomes: tuple[Outcome, ...]

    @property
    def differences(self) -> int:
        """About how many packets replay and the kernel disagree."""
        return sum(len(outcome.differences) for outcome in self.outcomes)


def cell_text(scenario: Scenario, cell: Cell) -> Text:
    """One field: good news green, bad news red."""
    if cell.reached is None:
        return Text("-", style=UNKNOWN)
    if scenario.kind is Kind.WANTED:
        return Text("works", style=GOOD) if cell.reached else Text("fails", style=BAD)
    return Text(f"{cell.arrived:,}/{cell.sent:,}", style=BAD if cell.reached else GOOD)


def agreement_text(cells: Sequence[Cell]) -> Text:
    """Of how many packets replay says what the kernel did."""
    judged, agreed = sum(cell.judged for cell in cells), sum(cell.agreed for cell in cells)
    if not judged:
        return Text("-", style=UNKNOWN)
    return Text(f"{agreed:,}/{judged:,}", style="" if agreed == judged else BAD)


def render(results: Results, console: Console) -> None:
    """Print everything."""
    for kind, heading in HEADINGS.items():
        console.print(Text(heading, style="bold"))
        console.print(_table(results, kind))
        console.print()
    for outcome in results.outcomes:
        console.print(Text(outcome_line(outcome)))
    for note in notes(results):
        console.print(Text(f"note: {note}"))
    for outcome in results.outcomes:
        _print_differences(outcome, console)


def _table(results: Results, kind: Kind) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", overflow="fold")
    for outcome in results.outcomes:
        table.add_column(outcome.name, justify="right", no_wrap=True)
    table.add_column("replay\nagrees", justify="right", no_wrap=True)
    for scenario in SCENARIOS:
        if scenario.kind is kind:
            cells = [outcome.cells[scenario.name] for outcome in results.outcomes]
            name = Text.assemble((f"{scenario.tool}:", "cyan"), f" {scenario.title}")
            table.add_row(name, *(cell_text(scenario, cell) for cell in cells), agreement_text(cells))
    return table


def outcome_line(outcome: Outcome) -> str:
    """One policy in a sentence."""
    judged = sum(cell.judged for cell in outcome.cells.values())
    agreed = sum(cell.agreed for cell in outcome.cells.values())
    stage = f", {STAGES[outcome.stateless_in]}" if outcome.stateless_in else ""
    return f"{outcome.name}: {outcome.rules} rules{stage}; replay agrees: {agreed:,} of {judged:,} packets"


def notes(results: Results) -> list[str]:
    """What was not done as asked, each thing once."""
    said = [note for outcome in results.outcomes for note in outcome.notes]
    for outcome in results.outcomes:
        said += [cell.words for cell in outcome.cells.values() if cell.reached is None]
    return list(dict.fromkeys(said))


def _print_differences(outcome: Outcome, console: Console) -> None:
    for line in outcome.differences[:SHOWN]:
        console.print(Text(f"{outcome.name}: {line}", style=BAD))
    if len(outcome.differences) > SHOWN:
        console.print(Text(f"{outcome.name}: … and {len(outcome.differences) - SHOWN:,} more", style=BAD))


def to_json(results: Results) -> str:
    """The same for programs."""
    rows = [
        {
            "scenario": scenario.name,
            "tool": scenario.tool,
            "title": scenario.title,
            "kind": scenario.kind.value,
            "policies": {outcome.name: asdict(outcome.cells[scenario.name]) for outcome in results.outcomes},
        }
        for scenario in SCENARIOS
    ]
    policies = [
        {
            "name": outcome.name,
            "rules": outcome.rules,
            "stateless_stage": outcome.stateless_in or None,
            "differences": outcome.differences,
            "notes": outcome.notes,
        }
        for outcome in results.outcomes
    ]
    return json.dumps({"ground": results.ground, "policies": policies, "rows": rows}, indent=2)
