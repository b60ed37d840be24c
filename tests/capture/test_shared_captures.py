"""Every capture of the shared folder, against what capinfos and tcpdump read of it.

capinfos goes first because it also counts frames of link types that it does not know; where it refuses a file, tcpdump counts.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.capture.reading import read

SHARED = Path(__file__).parents[2].parent / "shared"
FOLDERS = [SHARED / "captures" / "zeek", SHARED / "captures" / "ndpi", SHARED / "captures" / "tcpdump"]
FOLDERS.append(SHARED / "vectors" / "suricata" / "captures")
# tcpdump and twinwall stop at the same record, whose captured length is absurd.
ABSURD = {"08eb289cd159ef8c.pcap": 6, "3b3d3dd44eab84bd.pcap": 18, "dc5f9e7c3345a6d4.pcap": 1, "ff71780faa23b44f.pcap": 6}
CUT_OFF = {"fuzz-2021-10-13.pcap": 1}  # two bytes of the next record are there


def captures(folder: Path) -> list[Path]:
    found = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if ".pcap" in path.name or path.suffix in {".cap", ".trace"})


def counts(paths: list[Path]) -> dict[str, int]:
    """How many frames capinfos finds; files that it refuses are missing."""
    run = subprocess.run(["capinfos", "-T", "-r", "-M", "-c", *paths], capture_output=True, text=True, check=False)
    rows = (line.split("\t") for line in run.stdout.splitlines())
    return {row[0]: int(row[1]) for row in rows if row[1].isdigit()}


def tcpdump_count(path: Path) -> int:
    run = subprocess.run(["tcpdump", "-nn", "-r", path, "--count"], capture_output=True, text=True, check=False)
    return int(run.stdout.split()[0])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_as_many_frames_as_the_other_readers_see(folder):
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    if shutil.which("capinfos") is None or shutil.which("tcpdump") is None:
        pytest.skip("capinfos and tcpdump are not installed")
    paths = captures(folder)
    assert paths
    known = counts(paths)
    for path in paths:
        outcome = read([path])
        broken = {**ABSURD, **CUT_OFF}
        assert (outcome.error is not None) == (path.name in broken), outcome.error
        wanted = broken[path.name] if path.name in broken else known.get(str(path))
        if wanted is None:
            wanted = tcpdump_count(path)
        assert len(outcome.packets) == wanted, path
