"""docs/connection-tracking.md says what the tables and vectors say."""

from __future__ import annotations

from tests.conntrack.conversation import FOLDER
from tests.conntrack.rendered import PAGE, SECTION, TABLES, render


def test_tables_are_current():
    """If this fails: `python -m tests.conntrack.rendered`."""
    text = PAGE.read_text()
    assert {name for _, name, _ in SECTION.findall(text)} == set(TABLES)
    assert render(text) == text


def test_every_vector_named_exists():
    named = {word.strip("`") for word in PAGE.read_text().split() if word.strip("`,.;)").endswith(".conversation")}
    assert named
    assert all((FOLDER / name.strip("`,.;)")).exists() for name in named)
