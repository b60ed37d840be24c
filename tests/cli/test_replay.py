"""`twinwall replay` as its user meets it: what it prints and writes, and how it ends."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import pty
import re
import select
import shutil
import struct
import subprocess

import pytest
import zstandard

from tests.cli.replaying import POLICY, PROGRAM, ROOT, TRAFFIC, program, replay, rows
from tests.events.frames import between, ethernet, tcp, udp
from twinwall.capture import open_captures

PACKETS = 6630
VOCABULARY = {
    "verdict": {"pass", "drop", "reject"},
    "stage": {"stateless", "stateful"},
    "ct_state": {"NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", ""},
    "established": {"true", "false", ""},
    "direction": {"original", "reply", ""},
}


def pcap(path, frames, start=1_700_000_000, linktype=1):
    """A capture of these frames, one a second."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, linktype)
    for number, frame in enumerate(frames):
        data += struct.pack("<IIII", start + number, 0, len(frame), len(frame)) + frame
    path.write_bytes(data)
    return path


def query(number):
    """A UDP packet, one of its own flow."""
    return ethernet(between("10.20.0.10", "198.51.100.7", 17, udp(20000 + number, 53, b"x")))


def run_of(capsys, *arguments, **more):
    code = replay(*arguments, **more)
    out, err = capsys.readouterr()
    return code, out, err


def test_the_summary_is_plain_in_a_pipe_and_complete(capsys):
    code, out, err = run_of(capsys, TRAFFIC)
    assert (code, err) == (0, "")
    assert out.startswith("6,630 packets, 451.2 kB\n")
    assert "\x1b" not in out
    for title in ("Verdicts", "Reasons", "Rules with the most hits", "Sources of the most dropped packets", "Connections"):
        assert f"\n{title}\n" in out


def test_json_is_the_summary_as_data(capsys):
    code, out, _ = run_of(capsys, TRAFFIC, "--json", "--top", "2")
    data = json.loads(out)
    assert code == 0
    assert data["packets"] == PACKETS == sum(verdict["packets"] for verdict in data["verdicts"].values())
    assert sum(each["packets"] for each in data["reasons"]) == PACKETS
    assert len(data["rules"]) == len(data["dropped_talkers"]) == 2
    assert data["first"] < data["last"]
    assert data["packets_per_second"] > 0


def test_decisions_have_one_row_a_frame_in_order_with_the_stated_columns_and_words(capsys, tmp_path):
    assert replay(TRAFFIC, "--decisions", tmp_path / "d.csv") == 0
    header = (tmp_path / "d.csv").read_text().split("\n", 1)[0]
    assert header == (
        "packet,ts,verdict,stage,reason,sid,ct_state,established,direction,flow_id,src,sport,dst,dport,proto,length"
    )
    found = rows(tmp_path / "d.csv")
    assert [int(row["packet"]) for row in found] == list(range(1, PACKETS + 1))
    for column, words in VOCABULARY.items():
        assert {row[column] for row in found} <= words, column
    assert {row["verdict"] for row in found} == VOCABULARY["verdict"]
    frames = [int(time) for batch in open_captures([TRAFFIC]) for time in batch.frames["timestamp"]]
    assert [row["ts"] for row in found] == [f"{time // 10**9}.{time % 10**9:09d}" for time in frames]


def test_parquet_holds_what_csv_holds(tmp_path, capsys):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert replay(TRAFFIC, "--decisions", tmp_path / "d.parquet") == 0
    assert replay(TRAFFIC, "--decisions", tmp_path / "d.csv") == 0
    table = parquet.read_table(tmp_path / "d.parquet").to_pylist()
    for written, row in zip(rows(tmp_path / "d.csv"), table, strict=True):
        for column in ("packet", "verdict", "reason", "sid", "ct_state", "flow_id", "src", "sport", "proto", "length"):
            assert written[column] == ("" if row[column] is None else str(row[column]))


def test_eve_and_the_summary_agree(tmp_path, capsys):
    code, out, _ = run_of(capsys, TRAFFIC, "--eve", tmp_path / "eve.json", "--json")
    assert code == 0
    events = [json.loads(line) for line in (tmp_path / "eve.json").read_text().splitlines()]
    stats = events[-1]["stats"]
    verdicts = json.loads(out)["verdicts"]
    assert stats["decoder"]["pkts"] == PACKETS
    assert stats["ips"]["accepted"] == verdicts["pass"]["packets"]
    assert stats["ips"]["blocked"] == verdicts["drop"]["packets"]
    assert stats["ips"]["rejected"] == verdicts["reject"]["packets"]
    assert {event["event_type"] for event in events} >= {"drop", "flow", "netflow", "stats"}


def test_the_aws_log_has_its_envelope(tmp_path, capsys):
    code = replay(TRAFFIC, "--aws-log", tmp_path / "log", "--firewall-name", "edge", "--availability-zone", "eu-1a")
    assert code == 0
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert records
    assert {(each["firewall_name"], each["availability_zone"]) for each in records} == {("edge", "eu-1a")}


def listing(path):
    command = ["tcpdump", "-nn", "-tt", "--nano", "-e", "-XX", "-r", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [each for each in text.replace("\n\t", "\t").split("\n") if each]


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
def test_passed_and_dropped_packets_part_the_capture_exactly(tmp_path, capsys):
    passed, dropped = tmp_path / "passed.pcapng", tmp_path / "dropped.pcapng"
    assert replay(TRAFFIC, "--write-passed", passed, "--write-dropped", dropped, "--decisions", tmp_path / "d.csv") == 0
    verdicts = [row["verdict"] for row in rows(tmp_path / "d.csv")]
    whole = listing(TRAFFIC)
    assert listing(passed) == [line for line, verdict in zip(whole, verdicts, strict=True) if verdict == "pass"]
    assert listing(dropped) == [line for line, verdict in zip(whole, verdicts, strict=True) if verdict != "pass"]


def test_outputs_on_standard_output_have_it_to_themselves():
    done = program(TRAFFIC, "--decisions", "-", text=True)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == PACKETS + 1
    assert "6,630 packets" in done.stderr


def test_two_outputs_need_two_files_and_no_input_is_overwritten(tmp_path, capsys):
    copy = shutil.copy(TRAFFIC, tmp_path / "in.pcapng")
    (tmp_path / "link").symlink_to(tmp_path / "in.pcapng")
    for arguments in (("--eve", tmp_path / "x", "--decisions", tmp_path / "x"), ("--eve", "-", "--aws-log", "-"),
                      ("--write-passed", tmp_path / "link"), ("--eve", POLICY)):  # fmt: skip
        code, out, err = run_of(capsys, copy, *arguments)
        assert (code, out) == (2, "")
        assert "give it a file of its own" in err
    assert sorted(os.listdir(tmp_path)) == ["in.pcapng", "link"]
    assert replay(copy, "--eve", "/dev/null", "--decisions", "/dev/null") == 0


def test_checksums_are_looked_at_only_when_asked(tmp_path, capsys):
    wrong = bytearray(ethernet(between("10.20.0.10", "198.51.100.7", 6, tcp(40000, 80, 1, 0, 2))))
    path = pcap(tmp_path / "in.pcap", [bytes(wrong)])
    reasons = []
    for options in ((), ("--checksums",)):
        assert replay(path, "--decisions", tmp_path / "d.csv", *options) == 0
        reasons.append(rows(tmp_path / "d.csv")[0]["reason"])
    assert reasons[0] == "rule"
    assert reasons[1].startswith("bad_") or "checksum" in reasons[1]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress],
                         ids=["gzip", "xz", "zstd"])  # fmt: skip
def test_compressed_captures_and_standard_input(pack):
    with open(TRAFFIC, "rb") as file:
        packed = pack(file.read())
    done = program("-", "--json", input=packed)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["packets"] == PACKETS


def test_several_captures_are_read_in_time_order(tmp_path, capsys):
    late = pcap(tmp_path / "a.pcap", [query(1), query(2)], start=1_700_000_100)
    early = pcap(tmp_path / "b.pcap", [query(3), query(4)], start=1_700_000_000)
    assert replay(late, early, "--decisions", tmp_path / "d.csv") == 0
    assert [row["sport"] for row in rows(tmp_path / "d.csv")] == ["20003", "20004", "20001", "20002"]


def test_an_aws_folder_is_a_policy(capsys):
    code, out, _ = run_of(capsys, TRAFFIC, "--json", "--home-net", "10.20.0.0/16", policy=str(ROOT / "examples" / "aws"))
    assert code == 0
    assert json.loads(out)["packets"] == PACKETS


def on_terminal(columns, *arguments):
    """What the program writes to a terminal of that width."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"}
    environment.pop("NO_COLOR", None)
    child = subprocess.Popen([*PROGRAM, "replay", POLICY, TRAFFIC, *arguments], stdout=follower, stderr=follower,
                             cwd=ROOT, env=environment)  # fmt: skip
    os.close(follower)
    seen = b""
    while select.select([leader], [], [], 120)[0]:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    os.close(leader)
    assert child.wait() == 0
    return seen.decode()


def test_a_terminal_gets_colour_a_bar_and_its_own_width():
    seen = on_terminal(60)
    assert "\x1b[" in seen
    assert "packets" in seen
    assert "━" in seen or "╸" in seen  # the bar
    silent = on_terminal(60, "--no-progress")
    assert "━" not in silent
    widths = [len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)) for line in silent.replace("\r", "").split("\n")]
    assert max(widths) <= 60
    assert "no_rule" in silent


def test_a_bar_can_be_asked_for_in_a_pipe():
    asked = program(TRAFFIC, "--progress")
    assert asked.returncode == 0
    assert b"packets" in asked.stderr
    assert program(TRAFFIC).stderr == b""


def test_a_missing_capture_is_found_before_the_packet_path_is_compiled(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TWINWALL_CACHE", str(tmp_path / "cache"))
    code, out, err = run_of(capsys, TRAFFIC, tmp_path / "absent.pcap")
    assert (code, out) == (1, "")
    assert "absent.pcap" in err
    assert not (tmp_path / "cache").exists()
