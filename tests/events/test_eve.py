from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pytest

from tests.events.conversation import conversation_batch
from twinwall.events.eve import EveWriter, batch_records
from twinwall.events.sink import OutputError


def test_records_follow_their_packets_and_a_packet_s_alerts_come_before_its_drop():
    records = [record for record in batch_records(conversation_batch()) if "pcap_cnt" in record]
    packets = [record["pcap_cnt"] for record in records]
    assert packets == sorted(packets)
    of_packet = [[record["event_type"] for record in group] for _, group in groupby(records, lambda record: record["pcap_cnt"])]
    assert ["alert", "drop"] in of_packet
    assert ["drop", "alert"] not in of_packet


def test_the_file_is_json_lines_and_ends_with_statistics(tmp_path):
    made = conversation_batch()
    with EveWriter(tmp_path / "eve.json") as writer:
        writer.write(made)
    records = [json.loads(line) for line in (tmp_path / "eve.json").read_text().splitlines()]
    assert records[:-1] == batch_records(made)
    assert records[-1]["event_type"] == "stats"


def test_an_interrupted_run_leaves_no_file(tmp_path):
    def interrupted() -> None:
        with EveWriter(tmp_path / "eve.json") as writer:
            writer.write(conversation_batch())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_at_the_end_is_told():
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OutputError, match="No space left"), EveWriter("/dev/full"):
        pass
