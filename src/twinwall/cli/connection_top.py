"""The busiest connections, looked at again and again: a live table on a terminal, tables one after the other elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.table import Table

from twinwall.cli.connection_rows import HEADINGS, RIGHT, Seen, cells, counted, lines, short
from twinwall.live.connection import ConntrackEntry
from twinwall.live.connection_filter import Test
from twinwall.live.conntrack import ConnectionTable

PAUSE = 1.0  # seconds between two looks
PLAIN_ROWS = 20
BORDER = 6  # lines that the table's frame, its heading and the shell's prompt take
SECOND = 1_000_000_000


class Busy(NamedTuple):
    """A connection and what it carried a second since the last look; without accounting, 0."""

    seen: Seen
    rate: int


@dataclass
class Watch:
    """Compares one look at the table with the one before."""

    see: Callable[[ConntrackEntry], Seen]
    wanted: Test
    refresh: Callable[[], object] = bool  # asked before each look: is another policy in force?
    _before: dict[int, int] = field(default_factory=dict)
    _at: int = 0

    def look(self, entries: list[ConntrackEntry], now: int) -> list[Busy]:
        """The connections, the busiest first; `now` in nanoseconds."""
        elapsed = max(now - self._at, 1)
        carried = {entry.ident: _bytes(entry) for entry in entries}
        self.refresh()
        found = [
            Busy(
                self.see(entry),
                (carried[entry.ident] - self._before.get(entry.ident, carried[entry.ident])) * SECOND // elapsed,
            )
            for entry in entries
            if self.wanted(entry)
        ]
        self._before, self._at = carried, now
        return sorted(found, key=lambda each: (-each.rate, -_bytes(each.seen.entry)))


def _bytes(entry: ConntrackEntry) -> int:
    return sum(side.bytes for side in (entry.original_counters, entry.reply_counters) if side is not None)


def watch(view: Watch, stop: Callable[[], bool]) -> None:
    """Show the table until `stop`.  Raises `EnforcementError`."""
    console = Console()
    with ConnectionTable() as table:
        if not console.is_terminal:
            _plain(table, view, stop)
            return
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while not stop():
                now = time.time_ns()
                busy = view.look(table.entries(), now)
                live.update(_table(busy, console.height - BORDER, now), refresh=True)
                time.sleep(PAUSE)


def _plain(table: ConnectionTable, view: Watch, stop: Callable[[], bool]) -> None:
    while not stop():
        now = time.time_ns()
        busy = view.look(table.entries(), now)
        text = "\n".join(lines([cells(each.seen, now) for each in busy[:PLAIN_ROWS]]))
        sys.stdout.write(f"{text}\n{counted(len(busy))}\n\n")
        sys.stdout.flush()
        time.sleep(PAUSE)


def _table(busy: list[Busy], height: int, now: int) -> Table:
    table = Table(title=counted(len(busy)), title_justify="left", expand=True)
    for name in (*HEADINGS, "bytes/s"):
        table.add_column(name, justify="right" if name in RIGHT or name == "bytes/s" else "left", no_wrap=True)
    for each in busy[: max(height, 1)]:
        table.add_row(*cells(each.seen, now), short(each.rate))
    return table
