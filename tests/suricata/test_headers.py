"""What one header rule says of one conversation, by name: the table, Suricata and twinwall must be of one opinion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.suricata import scripts
from tests.suricata.conversations import capture_of
from tests.suricata.oracle import ask_suricata
from tests.suricata.ours import ask_twinwall, policy_of
from tests.suricata.test_probe import check_inline

ROWS = json.loads((Path(__file__).parents[2] / "vectors/suricata/headers.json").read_text())["vectors"]
every_row = pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])


def capture_for(row: dict, folder: Path) -> Path:
    return capture_of(folder / "talk.pcap", [("talk", getattr(scripts, row["script"]))], [row.get("family", 4)]).path


@every_row
def test_twinwall_does_what_the_row_says(row, tmp_path):
    check_inline(ask_twinwall(policy_of("\n".join(row["rules"])), capture_for(row, tmp_path)), row)


@every_row
def test_the_row_is_what_suricata_does(row, tmp_path):
    check_inline(ask_suricata(tmp_path, capture_for(row, tmp_path), "\n".join(row["rules"])), row)
