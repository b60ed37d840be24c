"""The long run: `make fidelity`, or python -m tests.fidelity.run [--policies N] [--packets N] [--seed N] [--publish].

Random policies and random traffic, a seed each; every difference is printed as a vector, made small first.  Needs root.
Exit status 1 if there was a difference.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.fidelity.minimise import minimise
from tests.fidelity.page import publish
from tests.fidelity.translated import TranslatedTrial, translated_trial
from tests.fidelity.trial import Outcome, Trial, changing_trial, random_trial
from tests.fidelity.vectors import Vector, printed
from tests.oracle.kernel import why_unavailable
from twinwall.render.options import StatelessWay

PACKETS = 5000  # of a trial
SPECIAL = {0: changing_trial, 3: translated_trial}  # by the seed modulo 7; all other trials are of one policy and plain
NAMES = {StatelessWay.XDP: "XDP", StatelessWay.NFT: "nftables"}
SHOWN = 3  # differing trials that are made small and printed


@dataclass
class Totals:
    """What a run adds up."""

    policies: int = 0
    packets: Counter[str] = field(default_factory=Counter)  # by the mode and the way of the stateless stage
    reasons: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    again: int = 0
    differing: list[tuple[int, Trial, Outcome]] = field(default_factory=list)

    def add(self, seed: int, trial: Trial, outcome: Outcome, refused: Counter[str]) -> None:
        """One more trial."""
        self.policies += 1
        then = "" if trial.change is None else f", then another policy's in {NAMES[trial.change.way]}"
        what = f"{trial.mode.value} that translates" if isinstance(trial, TranslatedTrial) else trial.mode.value
        self.packets[f"{what}, stateless stage in {NAMES[trial.way]}{then}"] += outcome.packets
        self.reasons += outcome.reasons
        self.labels += outcome.labels
        self.excused += outcome.excused
        self.refused += refused
        self.again += outcome.again
        if outcome.differences:
            self.differing.append((seed, trial, outcome))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=220)
    parser.add_argument("--packets", type=int, default=PACKETS, help="of each policy")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--publish", action="store_true", help="write the table into docs/fidelity.md, if nothing differs")
    parser.add_argument("--show", type=int, default=SHOWN, help="differing trials to make small and print")
    return parser.parse_args()


def main() -> int:
    """Run the trials, print the table, then the differences."""
    options = arguments()
    console = Console()
    why = why_unavailable()
    if why:
        console.print(f"fidelity {why}")
        return 1
    started = time.monotonic()
    totals = Totals()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("policies", total=options.policies)
        for seed in range(options.seed, options.seed + options.policies):
            trial, refused = SPECIAL.get(seed % 7, random_trial)(seed, options.packets)
            totals.add(seed, trial, trial.run(), refused)
            progress.update(task, advance=1, description=f"policies, {len(totals.differing)} of them differ")
    found = list(rows(totals, time.monotonic() - started))
    console.print(table(found))
    for seed, trial, outcome in totals.differing[: options.show]:
        console.rule(f"seed {seed}: {len(outcome.differences)} differences, the first: {outcome.differences[0]}")
        console.print(vector_of(trial, outcome), markup=False, highlight=False, soft_wrap=True)
    if options.publish and not totals.differing:
        publish(where(options), found)
    return 1 if totals.differing else 0


def rows(totals: Totals, seconds: float) -> Iterator[tuple[str, str]]:
    """The summary."""
    packets = sum(totals.packets.values())
    yield "policies", f"{totals.policies:,}"
    yield "packets", f"{packets:,}"
    for name, count in sorted(totals.packets.items(), reverse=True):
        yield f"packets: {name}", f"{count:,}"
    yield "policies that differ", f"{len(totals.differing):,}"
    yield "packets that differ", f"{sum(len(outcome.differences) for _, _, outcome in totals.differing):,}"
    yield "trials made again: packets out of order", f"{totals.again:,}"
    yield "packets a second, all included", f"{packets / seconds:,.0f}"
    counted = {
        "not compared": totals.excused,
        "reason": totals.reasons,
        "label": totals.labels,
        "rules refused": totals.refused,
    }
    for title, counter in counted.items():
        for name, count in counter.most_common():
            yield f"{title}: {name or 'never reached the tracker'}", f"{count:,}"


def where(options: argparse.Namespace) -> str:
    """What the run was, in a sentence."""
    kernel = platform.release().split("-")[0].split("+")[0]
    seeds = f"seeds {options.seed} to {options.seed + options.policies - 1}"
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, Linux {kernel}, {seeds}, {options.packets:,} packets and a few more each."
    )


def table(found: list[tuple[str, str]]) -> Table:
    """The summary for the terminal."""
    shown = Table(title="replay = kernel", show_header=False)
    shown.add_column(overflow="fold")
    shown.add_column(justify="right")
    for row in found:
        shown.add_row(*row)
    return shown


def vector_of(trial: Trial, outcome: Outcome) -> str:
    """The trial as a vector, as small as it gets."""
    small = minimise(trial, outcome.differences[0].index)
    answers = tuple(str(answer) for half in small.halves() for answer in half.replayed.answers)
    ways = small.way.name if small.change is None else f"{small.way.name}, then {small.change.way.name}"
    catches = f"stateless stage {ways}; " + "; ".join(str(each) for each in small.run().differences)
    then = "" if small.change is None else str(small.change.text)
    return printed(Vector("", catches, str(small.text), tuple(small.sent), answers, then, small.turn))


if __name__ == "__main__":
    sys.exit(main())
