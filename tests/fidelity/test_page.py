from __future__ import annotations

import shutil

import pytest

from tests.fidelity.page import PAGE, publish


def test_a_run_replaces_the_one_before(tmp_path):
    page = tmp_path / "fidelity.md"
    shutil.copy(PAGE, page)
    publish("Today.", [("packets", "7")], page)
    publish("Tomorrow.", [("packets", "8")], page)
    text = page.read_text()
    assert "Today." not in text
    assert "\nTomorrow.\n\n| what | how many |\n|---|---|\n| packets | 8 |\n\n## When they differ\n" in text
    assert text.split("## The last run")[0] == PAGE.read_text().split("## The last run")[0]


def test_a_page_without_the_section_is_refused(tmp_path):
    page = tmp_path / "other.md"
    page.write_text("# Other\n")
    with pytest.raises(ValueError, match="has no section"):
        publish("Today.", [], page)
