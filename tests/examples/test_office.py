"""The bundled example: the capture is what it says, and the README's numbers are those of a replay."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import twinwall

ROOT = Path(__file__).resolve().parents[2]
OFFICE = ROOT / "examples" / "office"
CAPTURE = OFFICE / "traffic.pcapng"
LARGEST = 2_000_000


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    path = tmp_path_factory.mktemp("office") / "decisions.csv"
    words = ["replay", str(OFFICE / "policy.yaml"), str(CAPTURE), "--decisions", str(path)]
    done = subprocess.run(
        [sys.executable, "-c", "from twinwall.cli.main import main; main()", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_capture_is_small() -> None:
    assert CAPTURE.stat().st_size <= LARGEST


def test_addresses_are_from_documentation_ranges(rows: list[dict[str, str]]) -> None:
    allowed = re.compile(r"10\.20\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|2001:db8:|fe80:|ff02:|::$|$")
    assert [row for row in rows if not (allowed.match(row["src"]) and allowed.match(row["dst"]))] == []


def test_the_traffic_has_what_the_readme_promises(rows: list[dict[str, str]]) -> None:
    seen = {(row["proto"], row["dport"]) for row in rows}
    assert {("tcp", "80"), ("tcp", "22"), ("tcp", "53"), ("udp", "53"), ("tcp", "8081")} <= seen
    assert {"icmp", "icmpv6"} <= {row["proto"] for row in rows}


def test_both_stages_decide_and_every_rule_that_the_readme_names_is_hit(rows: list[dict[str, str]]) -> None:
    hits = Counter((row["stage"], row["sid"]) for row in rows)
    text = (OFFICE / "README.md").read_text()
    assert hits["stateless", "10"] == 12
    assert hits["stateless", "11"] == 3
    for sid in ("12", "13", "14"):
        assert hits["stateless", sid] > 0
    for sid in ("100", "101", "102", "104", "105", "106", "107", "108", "109"):
        assert hits["stateful", sid] > 0
    assert {
        number for number in re.findall(r"sids? (\d+)", text) if not hits["stateful", number] + hits["stateless", number]
    } == {"16"}


def test_the_readmes_numbers(rows: list[dict[str, str]]) -> None:
    verdicts = Counter(row["verdict"] for row in rows)
    assert verdicts == {"pass": 6362, "drop": 266, "reject": 2}
    by_reason = Counter((row["reason"], row["sid"]) for row in rows)
    assert by_reason["rule", "108"] == 99
    assert by_reason["rule_flow", "106"] == 1
    assert by_reason["flow_drop", "106"] == 6
    flood = [row for row in rows if row["sid"] == "104" and row["ct_state"] == "NEW"]
    assert len(flood) > 3000 - 10
    assert by_reason["default_drop_established", "2"] == 5
    assert any(row["reason"] == "midstream" and row["dst"] == "198.51.100.7" for row in rows)


def test_most_of_the_invalid_packets_are_answers_to_dropped_ones(rows: list[dict[str, str]]) -> None:
    asked = {(row["src"], row["sport"], row["dst"], row["dport"]) for row in rows if row["sid"] == "108"}
    invalid = [row for row in rows if row["reason"] == "invalid"]
    answers = [row for row in invalid if (row["dst"], row["dport"], row["src"], row["sport"]) in asked]
    assert len(answers) > len(invalid) / 2


def test_the_aws_export_agrees_on_web_and_shell(rows: list[dict[str, str]]) -> None:
    policy = twinwall.Policy.load(ROOT / "examples" / "aws")
    names = {"pass": 0, "drop": 0, "reject": 0}
    verdicts = [str(word) for batch in twinwall.replay(policy, CAPTURE) for word in batch.column("verdict")]
    assert len(verdicts) == len(rows)
    for row, verdict in zip(rows, verdicts, strict=True):
        names[verdict] += 1
        if row["sid"] in {"101", "102", "104", "106"} and row["stage"] == "stateful":
            assert verdict == row["verdict"], row
    assert names["drop"] > 0
