"""The probe table (what a verdict covers, by the rule's type) on one web request: Suricata, in both modes, and twinwall."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.suricata.conversations import capture_of
from tests.suricata.oracle import IDS, INLINE, Observation, ask_suricata
from tests.suricata.ours import ask_twinwall, policy_of
from tests.suricata.scripts import web

ROWS = json.loads((Path(__file__).parents[2] / "vectors/suricata/probe.json").read_text())["vectors"]
every_row = pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    return capture_of(tmp_path_factory.mktemp("probe") / "web.pcap", [("web", web)], families=[4]).path


def said(seen: Observation) -> tuple[dict[str, list[int]], list[int]]:
    """Which rule reported where, and which rules said `blocked`."""
    sids = sorted({sid for found in seen.order.values() for sid in found})
    return {str(sid): seen.packets_of(sid) for sid in sids}, [sid for sid in sids if seen.blocked_by(sid)]


def check_inline(seen: Observation, row: dict) -> None:
    assert said(seen) == (row["alerts"], row["blocked"])
    assert sorted(seen.dropped) == row["dropped"]
    for packet, sids in row.get("order", {}).items():
        assert seen.order[int(packet)] == sids


@every_row
def test_twinwall_does_what_the_row_says(row, capture):
    check_inline(ask_twinwall(policy_of("\n".join(row["rules"])), capture), row)


@every_row
def test_the_row_is_what_suricata_does_inline(row, capture, tmp_path):
    seen = ask_suricata(tmp_path, capture, "\n".join(row["rules"]), INLINE)
    check_inline(seen, row)
    assert dict(seen.flow_actions) == {row["flow"]: 1}


@every_row
def test_the_row_is_what_suricata_does_where_nothing_is_dropped(row, capture, tmp_path):
    seen = ask_suricata(tmp_path, capture, "\n".join(row["rules"]), IDS)
    assert said(seen) == (row.get("ids", row["alerts"]), row.get("ids_blocked", []))
    assert not seen.dropped
    assert dict(seen.flow_actions) == {row["flow"]: 1}


@every_row
def test_the_flow_carries_the_row_s_verdict(row, capture):
    """A flow's verdict shows where a packet's reason says that the flow was decided before."""
    seen = ask_twinwall(policy_of("\n".join(row["rules"])), capture)
    decided = {"FLOW_DROP", "RULE_FLOW"} & set(seen.dropped.values())
    assert bool(decided) == (row["flow"] == "drop")
