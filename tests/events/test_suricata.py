"""The records of a capture, held against those that Suricata 7 itself writes of the same capture and the same rules."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.events.conversation import SURICATA_RULES, conversation, conversation_batch
from tests.events.frames import write_pcap
from twinwall.events.eve import batch_records
from twinwall.events.protocol import NAMES
from twinwall.events.stats import Statistics

SURICATA = shutil.which("suricata")
CONFIGURATION = """%YAML 1.1
---
classification-file: /etc/suricata/classification.config
reference-config-file: /etc/suricata/reference.config
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types:
        - alert: {verdict: yes}
        - drop: {alerts: yes, flows: all, verdict: yes}
        - flow
        - netflow
        - stats: {totals: yes}
stream: {inline: yes, checksum-validation: no}
stats: {enabled: yes, interval: 8}
"""
# What the two may differ in: names given by chance, detection of applications, Suricata's stream engine and its clock, and a
# flow's VLAN, which the connection table does not keep.  Why a closed flow ended (timeout or shutdown) depends on how far
# Suricata's flow manager, another thread, has come.
NOT_COMPARED = ("flow_id", "app_proto", "ts_max_regions", "tc_max_regions", "uptime")
NOT_COMPARED_OF_FLOWS = (*NOT_COMPARED, "vlan", "reason")


def run_suricata(folder: Path, frames: list[bytes], rules: str) -> list[dict]:
    """The records of Suricata, in simulated inline mode."""
    if SURICATA is None:
        pytest.skip("needs suricata")
    version = subprocess.run([SURICATA, "-V"], capture_output=True, text=True, check=True).stdout
    if "version 7.0" not in version:
        pytest.skip(f"needs Suricata 7.0, found {version.strip()}")
    write_pcap(folder / "t.pcap", frames)
    (folder / "t.rules").write_text(rules)
    (folder / "suricata.yaml").write_text(CONFIGURATION)
    command = [SURICATA, "-r", folder / "t.pcap", "-S", folder / "t.rules", "-l", folder, "-c", folder / "suricata.yaml"]
    subprocess.run([*command, "-k", "none", "--simulate-ips", "--runmode", "single"], capture_output=True, check=True)
    return [json.loads(line) for line in (folder / "eve.json").read_text().splitlines()]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory) -> list[dict]:
    return run_suricata(tmp_path_factory.mktemp("suricata"), [said.frame for said in conversation()], SURICATA_RULES)


def comparable(record: dict) -> str:
    """The record as text, fields in order, without what may differ."""
    of_flow = record["event_type"] in ("flow", "netflow")
    left_out = NOT_COMPARED_OF_FLOWS if of_flow else NOT_COMPARED

    def pruned(value: object) -> object:
        if isinstance(value, dict):
            return {name: pruned(part) for name, part in value.items() if name not in left_out}
        return value

    return json.dumps(pruned(record | {"timestamp": "the end of the run"} if of_flow else record))


@pytest.mark.parametrize("event_type", ["alert", "drop", "flow", "netflow"])
def test_records_are_those_of_suricata(theirs, event_type):
    expected = sorted(comparable(record) for record in theirs if record["event_type"] == event_type)
    found = sorted(comparable(record) for record in batch_records(conversation_batch()) if record["event_type"] == event_type)
    assert expected
    assert {"only ours": [*filter(lambda text: text not in expected, found)]} == {"only ours": []}
    assert found == expected


def test_packets_of_one_flow_have_one_identifier_in_both(theirs):
    def groups(records: list[dict]) -> set[frozenset]:
        flows: dict[int, set] = {}
        for record in records:
            if "flow_id" in record and "pcap_cnt" in record:
                flows.setdefault(record["flow_id"], set()).add(record["pcap_cnt"])
        return {frozenset(packets) for packets in flows.values()}

    assert groups(batch_records(conversation_batch())) == groups(theirs)


def test_statistics_are_a_part_of_suricata_s(theirs):
    statistics = Statistics()
    statistics.add(conversation_batch())
    ours = statistics.record()["stats"]
    real = next(record for record in theirs if record["event_type"] == "stats")["stats"]

    def differences(left: dict, right: dict, path: str = "") -> dict:
        found = {}
        for name, value in left.items():
            if isinstance(value, dict):
                found |= differences(value, right[name], f"{path}{name}.")
            elif right[name] != value and name not in NOT_COMPARED:
                found[path + name] = (value, right[name])
        return found

    assert differences(ours, real) == {}


def test_protocol_names_are_suricata_s(tmp_path):
    from tests.events.frames import between, ethernet

    protocols = [number for number in range(256) if number not in (1, 2, 6, 17, 58)]
    frames = [ethernet(between("10.0.0.1", "10.0.0.2", number, bytes(24))) for number in protocols]
    records = run_suricata(tmp_path, frames, "alert ip any any -> any any (ttl:64; sid:1;)")
    named = {protocols[record["pcap_cnt"] - 1]: record["proto"] for record in records if record["event_type"] == "alert"}
    assert named == {number: NAMES[number] for number in protocols}
