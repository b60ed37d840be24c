"""The page about Suricata explains every cause and counts what is compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.suricata.differences import Cause
from tests.suricata.rules import POLICIES, alert_rules
from tests.suricata.scripts import IRREGULAR, REGULAR
from tests.suricata.test_strict_order import LISTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/suricata.md").read_text()


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_explained(cause):
    assert f"\n### {cause.value}\n" in PAGE


def test_the_page_counts_as_the_tests_do():
    rows = {
        name: len(json.loads((ROOT / f"vectors/suricata/{name}.json").read_text())["vectors"]) for name in ("probe", "headers")
    }
    assert f"probe.json`, {rows['probe']} rows" in PAGE
    assert f"headers.json`, {rows['headers']} rows" in PAGE
    assert f"{len(alert_rules())} rules, every header keyword" in PAGE
    assert f"on {len(REGULAR) + len(IRREGULAR)} conversations" in PAGE
    assert f"{len(POLICIES)} policies" in PAGE
    assert f"{dict(enumerate(('one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'), 1))[len(LISTS)]} lists" in PAGE


def test_every_vector_file_is_used():
    assert {path.name for path in (ROOT / "vectors/suricata").iterdir()} == {"probe.json", "headers.json", "differences.json"}
