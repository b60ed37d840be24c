"""docs/performance.md: measured lines as a page."""

from __future__ import annotations

from bench.report import Line, page


def test_a_page_says_what_was_met_and_what_was_missed() -> None:
    lines = [Line("speed", "5 M", "≥ 4 M", True), Line("memory", "700 MB", "≤ 500 MB", False), Line("fact", "7")]
    text = page(lines, "a machine", ["one 1.0", "two 2.0"], "a capture", "2026-07-01")
    assert "| speed | 5 M | ≥ 4 M | met |" in text
    assert "| memory | 700 MB | ≤ 500 MB | **missed** |" in text
    assert "| fact | 7 |  |  |" in text
    for fact in ("- Date: 2026-07-01", "- Machine: a machine", "- Versions: one 1.0; two 2.0", "- Capture: a capture"):
        assert fact in text.splitlines()


def test_a_line_for_the_terminal_shouts_when_missed() -> None:
    assert Line("memory", "700 MB", "≤ 500 MB", False).text().endswith("MISSED")
    assert Line("fact", "7").text().endswith("7")
