"""Printing stories: one column of sections, one of sentences; from 60 columns on, coloured on a terminal, plain in a pipe."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Sequence
from typing import Protocol

import click

from twinwall.engine.story import Line, Story
from twinwall.engine.story_data import story_data
from twinwall.engine.wording import rule_place

NARROWEST, WIDEST = 60, 110
INDENT = 13
COLOURS = {"pass": "green", "drop": "red", "reject": "magenta", "pending": "yellow"}


def show(stories: Sequence[Story], *, as_json: bool) -> None:
    """Print stories on standard output."""
    if as_json:
        click.echo(json.dumps({"packets": [story_data(story) for story in stories]}, indent=2))
        return
    for at, story in enumerate(stories):
        if at:
            _print("")
        show_story(story)


class Told(Protocol):
    """What is printed of a story, whoever tells it."""

    @property
    def title(self) -> str:
        """The packet."""

    @property
    def verdict(self) -> str:
        """What becomes of it."""

    @property
    def lines(self) -> Sequence[Line]:
        """The sentences."""


def show_story(story: Told) -> None:
    """Print one story."""
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((80, 24)).columns))
    for text in textwrap.wrap(story.title, width, subsequent_indent="  ", break_on_hyphens=False):
        _print(click.style(text, bold=True))
    section, placed = "", set()
    for line in story.lines:
        place = rule_place(line.rule) if line.rule else ""
        known = place in placed
        placed.add(place)
        colour = COLOURS.get(story.verdict) if line.section == "verdict" else None
        _show_line(line, "" if line.section == section else line.section, "" if known else place, width, colour)
        section = line.section


def _show_line(line: Line, section: str, place: str, width: int, colour: str | None) -> None:
    start = click.style(f"  {section:<{INDENT - 2}}", dim=True)
    for text in textwrap.wrap(line.text, width - INDENT, subsequent_indent="  ", break_on_hyphens=False):
        _print(start + (click.style(text, fg=colour, bold=True) if colour else text))
        start = " " * INDENT
    if place:
        _print(" " * (INDENT + 2) + click.style(place, dim=True))


def _print(text: str) -> None:
    """Styled on a terminal that has not asked for plain text (no-color.org)."""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
