"""The journal in lines and as JSON."""

import json
from dataclasses import replace

from tests.cli.running import twinwall
from twinwall.cli.journal import entry_line
from twinwall.enforce.journal import Author, Entry, Journal, Outcome

ENTRY = Entry(
    "2026-01-02T03:04:05.678Z", "apply", Outcome.DONE, Author(0, "root", "ann", "192.0.2.9"), "ab" * 16, "", "a.yaml",
    {"added": 1200}, "on trial",
)  # fmt: skip


def test_an_entry_in_a_line():
    assert entry_line(ENTRY) == (
        "2026-01-02T03:04:05.678Z  apply    done     a.yaml (abababababab); rules: 1,200 added; on trial"
        "  by ann as root from 192.0.2.9"
    )


def test_the_newest_come_last_and_older_ones_are_left_out(tmp_path, capsys):
    journal = Journal(tmp_path / "journal.jsonl")
    for number in range(5):
        journal.write(Entry(str(number), "boot", Outcome.FAILED, Author()))
    assert twinwall("journal", "--state", tmp_path, "-n", "2", "--json") == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["time"] for entry in printed] == ["3", "4"]


def test_no_journal_is_no_entries(tmp_path, capsys):
    assert twinwall("journal", "--state", tmp_path) == 0
    assert capsys.readouterr().out == ""


def test_no_name_makes_a_line_of_its_own_or_talks_to_the_terminal():
    line = entry_line(replace(ENTRY, name="a\x1b[2J\n2026 apply done.yaml", detail="nft: \x9b31m\u202e"))
    assert line.isprintable()
    assert "a?[2J?2026 apply done.yaml" in line
