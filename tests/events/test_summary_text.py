from __future__ import annotations

import dataclasses
import io
import subprocess
import sys

import pytest
from rich.console import Console

from tests.events.test_summary import counters_of, example
from twinwall.engine.batch import RuleBook
from twinwall.events.summary import summarise
from twinwall.events.summary_text import duration_text, size_text


def printed(width: int, **console) -> str:
    stream = io.StringIO()
    example().render(Console(file=stream, width=width, **console))
    return stream.getvalue()


def test_what_a_person_reads():
    text = printed(80)
    for line in (
        "5 packets, 340 B",
        "to   2026-01-01T00:00:03.123456+0000",
        "3.000 s of traffic",
        "replayed in 0.50 s, 10 packets/s",
        "Sources of the most dropped packets",
    ):
        assert line in text.splitlines()
    rows = [line.split() for line in text.splitlines()]
    assert ["drop", "3", "60.0", "%", "220", "B"] in rows
    assert ["stateless", "1", "drop", "bogons", "2"] in rows
    assert ["udp", "2", "1", "0"] in rows


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_fits_the_terminal(width):
    assert max(map(len, printed(width).splitlines())) <= width


def test_every_number_survives_sixty_columns():
    assert "2026-01-01T00:00:00.123456+0000" in printed(60)
    assert "stateless_rule" in printed(60)


def test_colour_is_for_terminals_only():
    assert "\x1b[" not in printed(80)
    assert "\x1b[" in printed(80, force_terminal=True)


def test_a_message_is_text_and_not_markup():
    summary = example()
    summary = dataclasses.replace(summary, rules=(dataclasses.replace(summary.rules[0], message="[red]x[/red]"),))
    stream = io.StringIO()
    summary.render(Console(file=stream, width=80))
    assert "[red]x[/red]" in stream.getvalue()


def test_sizes_and_durations():
    assert [size_text(size) for size in (0, 999, 1000, 2_500_000, 10**16)] == ["0 B", "999 B", "1.0 kB", "2.5 MB", "10000.0 TB"]
    assert duration_text(1_500_000_000) == "1.500 s"
    assert duration_text(61 * 10**9) == "1 min 1 s"
    assert duration_text(3_725 * 10**9) == "1 h 2 min 5 s"


def test_the_data_needs_no_terminal_library():
    code = "import sys, twinwall.events.summary; sys.exit('rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_did_not_happen_is_not_printed():
    stream = io.StringIO()
    empty = summarise(counters_of(RuleBook()), RuleBook(), elapsed=0.25)
    empty.render(Console(file=stream, width=80))
    assert stream.getvalue() == "0 packets, 0 B\nreplayed in 0.25 s, 0 packets/s\n"
