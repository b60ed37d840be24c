"""Printing a story: one column of sections, one of sentences; from 60 columns on, coloured on a terminal, plain in a pipe."""

from __future__ import annotations

import shutil
import sys
import textwrap

import click

from twinwall.engine.story import Line, Story

NARROWEST, WIDEST = 60, 110
SECTION_WIDTH = 11
COLOURS = {"pass": "green", "drop": "red", "reject": "magenta", "pending": "yellow"}


def show(story: Story) -> None:
    """Print a story on standard output."""
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((80, 24)).columns))
    for line in textwrap.wrap(story.title, width):
        click.secho(line, bold=True)
    section = ""
    for line in story.lines:
        _show_line(line, "" if line.section == section else line.section, width, COLOURS[story.verdict])
        section = line.section


def _show_line(line: Line, section: str, width: int, colour: str) -> None:
    room = width - SECTION_WIDTH - 2
    indent = " " * (SECTION_WIDTH + 2)
    texts = textwrap.wrap(line.text, room, break_on_hyphens=False)
    for at, text in enumerate(texts):
        start = click.style(f"  {section:<{SECTION_WIDTH}}", dim=True) if at == 0 else indent
        shown = click.style(text, fg=colour, bold=True) if line.section == "verdict" else text
        click.echo(f"{start}{shown}")
    if line.place:
        for text in textwrap.wrap(line.place, room - 2, break_on_hyphens=False):
            click.echo(f"{indent}  {click.style(text, dim=True)}")
