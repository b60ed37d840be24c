"""The summary as tables for people: from 60 columns on, coloured on a terminal, plain in a pipe or a file."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twinwall.events.summary import Summary
from twinwall.events.timestamp import NANOSECONDS, eve_time

VERDICT_STYLES = {"pass": "green", "drop": "red", "reject": "magenta"}


def render(summary: Summary, console: Console) -> None:
    """Print everything that the run has something to say about."""
    _print_head(summary, console)
    sections = (_verdicts, _reasons, _rules, _talkers, _states, _flows)
    for title, table in (section(summary) for section in sections):
        if table.row_count:
            console.print()
            console.print(Text(title, style="bold"))
            console.print(table)


def _print_head(summary: Summary, console: Console) -> None:
    lines = [f"{summary.packets:,} packets, {size_text(summary.bytes)}"]
    if summary.first is not None and summary.last is not None:
        lines += [f"from {eve_time(summary.first)}", f"to   {eve_time(summary.last)}"]
        lines.append(f"{duration_text(summary.covered)} of traffic")
    lines.append(f"replayed in {summary.elapsed:.2f} s, {summary.packets_per_second:,} packets/s")
    for line in lines:
        console.print(Text(line))


def size_text(size: int) -> str:
    """Bytes in the largest unit that leaves at least one of it."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{size} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def duration_text(nanoseconds: int) -> str:
    """A duration as hours, minutes and seconds, from the largest that is not zero."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours} h {minutes} min {seconds} s"
    if minutes:
        return f"{minutes} min {seconds} s"
    return f"{seconds}.{rest // 1_000_000:03d} s"


def _table(*columns: str, numbers: int) -> Table:
    """A table whose last `numbers` columns hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(columns):
        is_number = index >= len(columns) - numbers
        table.add_column(name, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    return table


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _verdicts(summary: Summary) -> tuple[str, Table]:
    table = _table("verdict", "packets", "share", "bytes", numbers=3)
    for verdict, tally in summary.verdicts.items():
        if tally.packets:
            share = _share(tally.packets, summary.packets)
            name = Text(verdict, style=VERDICT_STYLES[verdict])
            table.add_row(name, f"{tally.packets:,}", share, size_text(tally.bytes))
    return "Verdicts", table


def _reasons(summary: Summary) -> tuple[str, Table]:
    table = _table("reason", "verdict", "packets", numbers=1)
    for tally in summary.reasons:
        table.add_row(Text(tally.reason), Text(tally.verdict, style=VERDICT_STYLES[tally.verdict]), f"{tally.packets:,}")
    return "Reasons", table


def _rules(summary: Summary) -> tuple[str, Table]:
    table = _table("stage", "sid", "action", "message", "packets", numbers=1)
    for tally in summary.rules:
        message = Text(tally.message or tally.place)
        table.add_row(tally.stage, str(tally.sid), tally.action, message, f"{tally.packets:,}")
    return "Rules with the most hits", table


def _talkers(summary: Summary) -> tuple[str, Table]:
    table = _table("source", "packets", "bytes", numbers=2)
    for talker in summary.dropped_talkers:
        table.add_row(Text(talker.address), f"{talker.packets:,}", size_text(talker.bytes))
    title = "Sources of the most dropped packets"
    return title, table


def _states(summary: Summary) -> tuple[str, Table]:
    table = _table("ct_state", "packets", numbers=1)
    for state, packets in summary.ct_states.items():
        if packets:
            table.add_row(state, f"{packets:,}")
    return "Connection-state labels", table


def _flows(summary: Summary) -> tuple[str, Table]:
    states = ("new", "established", "closed")
    table = _table("protocol", *states, numbers=len(states))
    for protocol, counts in summary.flows.items():
        table.add_row(Text(protocol), *(f"{counts[state]:,}" for state in states))
    return "Connections", table
