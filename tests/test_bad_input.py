"""Hostile input, through the program as its user starts it: what is said, what is left behind, and the exit code."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.replaying import POLICY, PROGRAM, ROOT, TRAFFIC, program, replay, rows
from tests.cli.test_replay import pcap, query
from tests.events.frames import between, ethernet, tcp, udp

RECORD = 16
FILE_HEADER = 24


@pytest.fixture
def capture(tmp_path):
    """A good capture of ten packets."""
    return pcap(tmp_path / "good.pcap", [query(number) for number in range(10)])


def outputs(folder):
    """Every output there is, in `folder`."""
    return ["--eve", folder / "eve", "--aws-log", folder / "aws", "--decisions", folder / "d.csv",
            "--write-passed", folder / "passed", "--write-dropped", folder / "dropped"]  # fmt: skip


def damaged(capture, how):
    data = capture.read_bytes()
    length = FILE_HEADER + 3 * (RECORD + len(query(0)))
    if how == "truncated":
        data = data[: length + 20]
    elif how == "corrupt":
        data = data[:length] + b"\xff" * 200
    path = capture.with_name(how)
    path.write_bytes(data)
    return path, length


@pytest.mark.parametrize("how", ["truncated", "corrupt"])
def test_what_is_readable_of_a_damaged_capture_is_decided_and_reported(capture, how, tmp_path, capsys):
    path, offset = damaged(capture, how)
    folder = tmp_path / "out"
    folder.mkdir()
    assert replay(path, *outputs(folder), "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["packets"] == 3
    assert f"{path}: at byte {offset}: " in err
    assert "remedy: " in err
    assert len(rows(folder / "d.csv")) == 3
    assert json.loads((folder / "eve").read_text().splitlines()[-1])["stats"]["decoder"]["pkts"] == 3
    assert sorted(os.listdir(folder)) == ["aws", "d.csv", "dropped", "eve", "passed"]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "the file is empty"),
        (b"\xd4\xc3\xb2\xa1", "ends inside"),
        (b"PK\x03\x04" + bytes(40), "a zip archive"),
        (b"hello, world\n", "a text file"),
        (gzip.compress(b"hello, world\n", mtime=0), "a text file"),
        (gzip.compress(bytes(5000), mtime=0)[:20], "ends early"),
        (bytes(100), "begins with zeros"),
    ],
    ids=["empty", "four-bytes", "zip", "text", "zipped-text", "cut-gzip", "zeros"],
)
def test_what_is_no_capture_is_named(content, cause, tmp_path, capsys):
    (tmp_path / "x").write_bytes(content)
    assert replay(tmp_path / "x") == 1
    out, err = capsys.readouterr()
    assert out.startswith("0 packets")
    assert f"{tmp_path / 'x'}: at byte " in err
    assert cause in err
    assert "remedy: " in err


def test_captures_that_cannot_be_opened_are_named(tmp_path, capsys):
    for path, cause in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        assert replay(path) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert f"error: {path}: at byte 0: cannot be read: {cause}" in err


def test_one_bad_capture_of_several_does_not_spoil_the_others(capture, tmp_path, capsys):
    path, _ = damaged(capture, "truncated")
    assert replay(path, capture, "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["packets"] == 13
    assert str(path) in err


def test_time_that_runs_backwards_is_no_error(tmp_path, capsys):
    frames = [query(1)] * 4
    data = bytearray(pcap(tmp_path / "x.pcap", frames).read_bytes())
    for number, second in enumerate((100, 50, 4_294_967_295, 0)):
        struct.pack_into("<I", data, FILE_HEADER + number * (RECORD + len(frames[0])), second)
    (tmp_path / "x.pcap").write_bytes(data)
    assert replay(tmp_path / "x.pcap", *outputs(tmp_path), "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["packets"], data["first"], data["last"]) == (4, 0, 4_294_967_295 * 10**9)
    assert [row["ts"].split(".")[0] for row in rows(tmp_path / "d.csv")] == ["100", "50", "4294967295", "0"]


def test_frames_of_no_bytes_and_of_the_most_that_a_capture_may_hold(tmp_path, capsys):
    large = ethernet(between("10.20.0.10", "198.51.100.7", 17, udp(1, 53, bytes(65_535 - 28))))
    frames = [b"", query(1), large, (query(2) + bytes(262_144))[:262_144]]
    path = pcap(tmp_path / "x.pcap", frames)
    assert replay(path, *outputs(tmp_path), "--json") == 0
    found = rows(tmp_path / "d.csv")
    assert [int(row["length"]) for row in found] == [len(frame) for frame in frames]
    assert found[0]["reason"] == "truncated_link"
    assert found[2]["src"] == "10.20.0.10"


def test_a_frame_that_claims_more_than_any_frame_has_is_the_end(capture, tmp_path, capsys):
    data = bytearray(capture.read_bytes())
    struct.pack_into("<I", data, FILE_HEADER + 8, 262_145)
    capture.write_bytes(data)
    assert replay(capture) == 1
    assert "claims more than 262144 captured bytes" in capsys.readouterr().err


def test_an_unknown_link_type_is_a_reason_not_a_failure(tmp_path, capsys):
    path = pcap(tmp_path / "x.pcap", [query(1)], linktype=127)
    assert replay(path, "--decisions", tmp_path / "d.csv") == 0
    assert rows(tmp_path / "d.csv")[0]["reason"] == "unsupported_link"


BAD_POLICIES = {
    "not a mapping": ("- 1\n", []),
    "not YAML": ("twinwall: [1\n", []),
    "empty": ("", []),
    "binary": (b"\xff\xfe\x00", []),
    "unknown names": (
        "twinwall: 1\nstatless: {}\nstateful:\n  order: strikt\n  rules: |\n    pass tcp $NOPE any -> any any (sid:1;)\n"
        "    pass tcp any any -> any any (nonsense:1; sid:2;)\n",
        ["statless", "strikt", "NOPE", "nonsense"],
    ),
    "duplicate sids": (
        "twinwall: 1\nstateful:\n  order: strict\n  rules: |\n    pass tcp any any -> any any (sid:7;)\n"
        "    drop tcp any any -> any any (sid:7;)\n",
        ["7"],
    ),
    "loop": (
        "twinwall: 1\nvariables:\n  A: [$B]\n  B: [$A]\nstateless:\n  rules: |\n    pass ip $A any -> any any (sid:1;)\n",
        ["A"],
    ),
    "unsupported keyword": (
        'twinwall: 1\nstateful:\n  order: strict\n  rules: |\n    drop tcp any any -> any any (content:"x"; sid:1;)\n',
        ["content"],
    ),
}


@pytest.mark.parametrize("name", BAD_POLICIES)
def test_a_bad_policy_is_refused_with_places_before_anything_is_written(name, tmp_path, capsys):
    text, words = BAD_POLICIES[name]
    path = tmp_path / "policy.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    folder = tmp_path / "out"
    folder.mkdir()
    assert replay(TRAFFIC, *outputs(folder), policy=str(path)) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert str(path) in err
    assert "error[" in err
    for word in words:
        assert word in err
    assert os.listdir(folder) == []


@pytest.mark.parametrize("path", ["nowhere.yaml", "."])
def test_a_policy_that_cannot_be_read_is_a_mistake_of_its_own(path, tmp_path, capsys):
    assert replay(TRAFFIC, policy=str(tmp_path / path)) == 3
    assert str(tmp_path) in capsys.readouterr().err


def test_a_hundred_thousand_rules_are_replayed(tmp_path, capsys):
    tails = [f"{n >> 8 & 255}.{n & 255}" for n in range(100_000)]
    lines = [
        f"    drop tcp 10.{n >> 16}.{tail} any -> 192.0.{tail} {n % 60_000 + 1} (sid:{n + 1};)" for n, tail in enumerate(tails)
    ]
    (tmp_path / "p.yaml").write_text("twinwall: 1\nstateless:\n  default: pass\n  rules: |\n" + "\n".join(lines) + "\n")
    frames = [ethernet(between("10.1.134.159", "192.0.134.159", 6, tcp(1, 99_999 % 60_000 + 1, 1, 0, 2))), query(1)]
    path = pcap(tmp_path / "x.pcap", frames)
    assert replay(path, "--decisions", tmp_path / "d.csv", policy=str(tmp_path / "p.yaml")) == 0
    assert [(row["verdict"], row["sid"]) for row in rows(tmp_path / "d.csv")] == [("drop", "100000"), ("pass", "")]


@pytest.mark.parametrize("option", ["--eve", "--aws-log", "--decisions", "--write-passed", "--write-dropped"])
@pytest.mark.parametrize(("place", "cause"), [("/dev/full", "No space left on device"), ("missing/out", "No such file"),
                                              ("file/out", "Not a directory"), (".", "Is a directory")])  # fmt: skip
def test_an_output_that_cannot_be_written_ends_the_run_and_leaves_none_of_them(option, place, cause, tmp_path, capsys):
    if place == "/dev/full" and not os.path.exists(place):
        pytest.skip("needs /dev/full")
    (tmp_path / "file").write_text("")
    folder = tmp_path / "out"
    folder.mkdir()
    chosen = outputs(folder)
    chosen[chosen.index(option) + 1] = place if place.startswith("/") else tmp_path / place
    assert replay(TRAFFIC, *chosen) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert cause in err
    assert "hint: " in err
    assert os.listdir(folder) == []


@pytest.mark.parametrize("name", ["eve", "aws", "d.csv", "d.parquet", "passed", "dropped"])
def test_a_disk_that_fills_up_leaves_what_was_there(name, tmp_path):
    if name == "d.parquet":
        pytest.importorskip("pyarrow")
    option = {"eve": "--eve", "aws": "--aws-log", "passed": "--write-passed", "dropped": "--write-dropped"}.get(
        name, "--decisions"
    )
    (tmp_path / name).write_bytes(b"older")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))

    done = program(TRAFFIC, option, tmp_path / name, preexec_fn=limit, text=True)
    assert done.returncode == 4, done.stderr
    assert f"{tmp_path / name}: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"older"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_standard_output_that_is_full_is_told_and_one_that_is_gone_is_not(options):
    if os.path.exists("/dev/full"):
        with open("/dev/full", "wb") as full:
            done = program(TRAFFIC, *options, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 4
        assert done.stderr.startswith(b"error: standard output: No space left on device\n")
        assert done.stderr.count(b"\n") == 2
    reader, writer = os.pipe()
    os.close(reader)
    done = program(TRAFFIC, *options, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (4, b"")


def test_a_closed_standard_output_is_told_where_it_is_an_output():
    command = ["sh", "-c", '"$@" >&-', "sh", *PROGRAM, "replay", POLICY, TRAFFIC, "--eve", "-"]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, text=True, check=False)
    assert done.returncode == 4
    assert "standard output is closed" in done.stderr


def slow_capture():
    """A capture that a writer feeds bit by bit: its header and some packets."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    frame = ethernet(between("10.20.0.10", "198.51.100.7", 17, udp(1, 53, bytes(1400))))
    record = struct.pack("<IIII", 1_700_000_000, 0, len(frame), len(frame)) + frame
    return head + record * 1500


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_gives_a_partial_summary_and_complete_outputs(number, tmp_path):
    command = [*PROGRAM, "replay", POLICY, "-", *map(str, outputs(tmp_path)), "--json"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    try:
        data = slow_capture()
        for _ in range(3):  # more than the reader's first window holds, so that some of it is decided
            child.stdin.write(data[24:] if _ else data)
        child.stdin.flush()
        while not _has_begun(tmp_path):
            assert child.poll() is None
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130, err
    assert b"Traceback" not in err
    assert b"interrupted" in err
    packets = json.loads(out)["packets"]
    assert 0 < packets <= 4500
    assert len(rows(tmp_path / "d.csv")) == packets
    assert json.loads((tmp_path / "eve").read_text().splitlines()[-1])["stats"]["decoder"]["pkts"] == packets
    assert sorted(os.listdir(tmp_path)) == ["aws", "d.csv", "dropped", "eve", "passed"]


def _has_begun(folder: Path) -> bool:
    """Whether an output in the making holds packets."""
    return any(path.stat().st_size > 100_000 for path in folder.glob(".*.partial"))


# The walk over a capture is the smallest part of the packet path that a replay compiles.
COUNT = """
import sys
from twinwall.capture import open_captures
from twinwall.capture.framer import native_framer
framer = native_framer(lambda: print("compiling", file=sys.stderr))
print(sum(len(batch.frames) for batch in open_captures(sys.argv[1:], framer=framer)))
"""


def counting(cache):
    """A program that counts a capture's frames, natively, with its cache in that place."""
    environment = {**os.environ, "TWINWALL_CACHE": str(cache)}
    command = [sys.executable, "-c", COUNT, TRAFFIC]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


def test_two_runs_share_a_cold_cache_and_a_damaged_one_is_made_anew(tmp_path):
    children = [counting(tmp_path) for _ in range(2)]
    for child in children:
        assert child.communicate(timeout=300) == ("6630\n", "compiling\n")
    (kept,) = tmp_path.iterdir()
    assert kept.suffix == ".o"
    whole = kept.read_bytes()
    assert counting(tmp_path).communicate(timeout=300) == ("6630\n", "")
    kept.write_bytes(whole[:-1])
    assert counting(tmp_path).communicate(timeout=300) == ("6630\n", "compiling\n")
    assert len(kept.read_bytes()) == len(whole)


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert counting(tmp_path / "file").communicate(timeout=300) == ("6630\n", "compiling\n")


@pytest.mark.parametrize(
    "arguments",
    [["replay"], ["replay", POLICY], ["replay", POLICY, TRAFFIC, "--top", "0"], ["replay", POLICY, TRAFFIC, "--explain", "0"],
     ["replay", POLICY, TRAFFIC, "--nonsense"], ["nonsense"], ["replay", POLICY, TRAFFIC, "--reference", "x"]],
)  # fmt: skip
def test_a_wrong_command_line_is_exit_code_two(arguments, capsys):
    from twinwall.cli.exit_codes import run
    from twinwall.cli.main import cli

    assert run(cli, arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err
