"""How a difference finds its cause, and one named example of each documented one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.suricata import scripts
from tests.suricata.conversations import capture_of
from tests.suricata.differences import Cause, compare
from tests.suricata.oracle import Alert, Observation, ask_suricata
from tests.suricata.ours import ask_twinwall, packets, policy_of

ROWS = json.loads((Path(__file__).parents[2] / "vectors/suricata/differences.json").read_text())["vectors"]
every_row = pytest.mark.parametrize("row", ROWS, ids=[row["cause"] for row in ROWS])


def said(seen: Observation) -> dict[str, list[int]]:
    return {"alerts": seen.packets_of(1), "dropped": sorted(seen.dropped)}


@every_row
def test_the_difference_is_what_the_page_says(row, tmp_path):
    capture = capture_of(tmp_path / "c", [("talk", getattr(scripts, row["script"]))], [row.get("family", 4)]).path
    rules = "\n".join(row["rules"])
    assert row["suricata"] != row["twinwall"]
    assert Cause(row["cause"])
    assert said(ask_twinwall(policy_of(rules), capture)) == row["twinwall"]
    assert said(ask_suricata(tmp_path, capture, rules)) == row["suricata"]


@pytest.fixture
def web(tmp_path):
    capture = capture_of(tmp_path / "c", [("web", scripts.web)], [4]).path
    return packets(policy_of("drop tcp any any -> any 80 (flags:S; sid:1;)"), capture)


def no_cause(sids: set[int]) -> None:
    return None


def test_equal_observations_differ_nowhere(web):
    ours, found = web
    same = Observation({1: ours.alerts[1]}, {1: "rules"})
    assert list(compare(same, ours, found, no_cause)) == []


def test_a_report_too_many_has_no_cause(web):
    ours, found = web
    theirs = Observation({}, {1: "rules"})
    theirs.report(1, Alert(1, True))
    theirs.report(5, Alert(1, True))
    (difference,) = compare(theirs, ours, found, no_cause)
    assert (difference.packet, difference.cause, difference.suricata) == (5, None, "blocked 1")


def test_another_fate_has_no_cause_even_if_the_rules_have_one(web):
    ours, found = web
    theirs = Observation({1: ours.alerts[1]}, {})
    (difference,) = compare(theirs, ours, found, lambda _: Cause.OPTIONS)
    assert (difference.packet, difference.cause, difference.twinwall) == (1, None, "dropped")
