from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from tests.lab.made import outcome, results
from twinwall.lab.messages import Cell
from twinwall.lab.scenarios import SCENARIOS
from twinwall.lab.table import render, to_json


def printed(shown, width=200):
    out = io.StringIO()
    render(shown, Console(file=out, width=width))
    return out.getvalue()


def test_every_row_and_every_policy_is_there():
    text = printed(results())
    for scenario in SCENARIOS:
        line = next(line for line in text.splitlines() if f"{scenario.tool}: {scenario.title}" in line)
        assert "27/27" in line
        assert line.count("works" if "nmap" not in line and "hping3" not in line else "0/7") == 3
    assert "both: 12 rules, stateless stage in XDP; replay agrees: 135 of 135 packets" in text


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_shows_whole_numbers(width):
    wide = {"flood": Cell(True, "", 1000, 1000, 3000, 3000, 1000)}
    text = printed(results(*(outcome(name, **wide) for name in ("stateless", "stateful", "both"))), width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("1,000/1,000") == 3
    assert "9,000/9,000" in text


def test_what_could_not_be_played_is_said_once_with_its_reason():
    lacking = Cell(None, "nmap is not installed")
    text = printed(results(outcome("stateless", syn_scan=lacking, ack_scan=lacking), outcome("stateful", syn_scan=lacking)))
    assert text.count("nmap is not installed") == 1


def test_a_difference_is_told_in_words():
    odd = outcome("stateless")
    odd.differences.append("web: tcp 1 > 2: drop; the kernel passed it")
    shown = results(odd)
    assert shown.differences == 1
    assert "stateless: web: tcp 1 > 2: drop; the kernel passed it" in printed(shown)


def test_many_differences_are_counted():
    odd = outcome("stateless")
    odd.differences.extend(["web: it"] * 12)
    assert "… and 2 more" in printed(results(odd))


def test_json_has_every_row_for_every_policy():
    data = json.loads(to_json(results()))
    assert data["ground"] == "root"
    assert [row["scenario"] for row in data["rows"]] == [scenario.name for scenario in SCENARIOS]
    assert all(set(row["policies"]) == {"stateless", "stateful", "both"} for row in data["rows"])
    assert data["rows"][0]["policies"]["both"]["agreed"] == 9
    assert data["policies"][0]["stateless_stage"] == "xdp"
