from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lab.made import NAMES, run
from twinwall.lab.page import FILLERS, PLACE, TEMPLATE, chosen, page
from twinwall.lab.policies import BOTH, STATEFUL, STATELESS, bundled, rule_count
from twinwall.lab.scenarios import SCENARIOS

PAGE = Path(__file__).parents[2] / "docs/stateful-or-stateless.md"
PLACES = list(PLACE.finditer(TEMPLATE.read_text()))


def shape(text: str) -> list[str]:
    """A page without what is measured: of table rows only what they are about."""
    return [line.split("|")[1].strip() if line.startswith("|") else line for line in text.splitlines()]


def test_every_place_of_the_template_is_filled():
    assert {place["name"] for place in PLACES} == set(FILLERS)
    assert "<<" not in page(run())


def test_every_scenario_is_on_the_page_in_its_table_and_under_a_question():
    named = [scenario.name for place in PLACES if place["name"] == "rows" for scenario in chosen(place["words"].split())]
    assert set(named) == {scenario.name for scenario in SCENARIOS}
    attacks = [scenario.name for scenario in SCENARIOS if scenario.kind.value == "attack"]
    assert all(named.count(name) == 2 for name in attacks)


def test_the_numbers_are_the_runs():
    text = page(run())
    row = next(line for line in text.splitlines() if line.startswith("| `nmap -sS`"))
    assert row.endswith("| 0 of 7 | 0 of 7 | 0 of 7 | 27 of 27 |")
    assert "| a packet dropped | 1,000 ns | 1,000 ns (+0) | 1,000 ns (+0) |" in text
    assert "| pings answered during the ten changes | 399 of 400 | 399 of 400 |" in text
    assert "| an ssh session, a policy without ssh | silent | silent |" in text
    assert "takes 256 bytes" in text
    assert "26 MB" in text


def test_the_published_page_has_the_templates_words_and_a_row_for_each_scenario():
    published = shape(PAGE.read_text())
    ours = shape(page(run()))
    for place, line in enumerate(ours):
        if line.startswith(("Linux ", "An entry of ", "take ", "an ssh session, ")):
            continue
        assert line in published, f"line {place + 1}: run `make lab`"


@pytest.mark.parametrize("path", [STATELESS, STATEFUL, BOTH], ids=lambda path: path.stem)
def test_the_published_page_counts_the_rules(path):
    head, _, counts = re.search(r"(\|.*both.*\|)\n(\|[-| :]*\|)\n(\| rules .*\|)", PAGE.read_text()).groups()
    column = [name.strip() for name in head.split("|")].index(path.stem)
    assert counts.split("|")[column].strip() == str(rule_count(bundled(path)))
    assert path.stem in NAMES
