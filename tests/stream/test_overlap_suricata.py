"""Suricata as the witness of the overlap rules: it reads the same pieces, and a rule for each outcome says which bytes won.

Two pieces lie to each other in nine ways that a rule can tell apart; each is one datagram here.  (Suricata trims pieces as they
meet and compares what is left of them, so where three overlap each other it can differ; `docs/fragments.md` says how often.)
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.stream.dialogue import Dialogue, Piece
from twinwall.policy.model import Overlap

VERSION = "7.0.10"
NAMES = {  # Suricata's name of a host whose rule it is; it has none for `last`
    Overlap.FIRST: "macos",
    Overlap.BSD: "bsd",
    Overlap.BSD_RIGHT: "bsd-right",
    Overlap.LINUX: "linux",
    Overlap.WINDOWS: "windows",
    Overlap.SOLARIS: "solaris",
}
OLD = (4, 7)  # units; the new piece starts and ends before, with and after it
NEW = [(start, end) for start in (3, 4, 5) for end in (6, 7, 8)]
LENGTH = 12  # units of every datagram, the first of which is the UDP header

CONFIGURATION = """%YAML 1.1
---
vars: {{address-groups: {{HOME_NET: any, EXTERNAL_NET: any}}, port-groups: {{}}}}
host-os-policy: {{{name}: [0.0.0.0/0]}}
defrag: {{trackers: 1000, max-frags: 10000, hash-size: 1024, prealloc: yes, timeout: 60}}
outputs: [{{fast: {{enabled: yes, filename: fast.log, append: no}}}}]
"""


def conversation(number: int, new: tuple[int, int]) -> list[Piece]:
    """The old piece, the new piece, then what is missing, the last piece last."""
    header = struct.pack("!HHHH", 1_000 + number, 53, 8 * LENGTH, 0)
    covered = {*range(*OLD), *range(*new)}
    missing = [unit for unit in range(1, LENGTH) if unit not in covered]
    pieces = [(OLD[0], b"o" * 8 * (OLD[1] - OLD[0])), (new[0], b"n" * 8 * (new[1] - new[0])), (0, header)]
    pieces += [(unit, b"." * 8) for unit in missing]
    return [Piece(8 * start, data, start != LENGTH - 1, id=number) for start, data in pieces]


def capture_of(conversations: list[list[Piece]]) -> bytes:
    """A capture file of raw IP packets."""
    file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101)
    packets = [piece.encode() for pieces in conversations for piece in pieces]
    return file + b"".join(
        struct.pack("<IIII", 1_700_000_000, at, len(each), len(each)) + each for at, each in enumerate(packets)
    )


def winners_of(overlap: Overlap, pieces: list[Piece]) -> str:
    """Our outcome: who has units 3 to 7."""
    talk = Dialogue(overlap)
    datagram = [talk.say(piece) for piece in pieces][-1].datagram
    return datagram[20 + 24 : 20 + 64 : 8].decode()


def suricata(overlap: Overlap, folder: Path, expected: list[str]) -> set[int]:
    """Which conversations came out as expected, by number."""
    rules = [
        f'alert udp any {1_000 + number} -> any 53 (content:"{"".join(who * 8 for who in units)}"; '
        f"offset:16; depth:40; sid:{number};)"
        for number, units in enumerate(expected, 1)
    ]
    (folder / "rules").write_text("\n".join(rules) + "\n")
    (folder / "configuration").write_text(CONFIGURATION.format(name=NAMES[overlap]))
    (folder / "capture").write_bytes(capture_of([conversation(number, new) for number, new in enumerate(NEW, 1)]))
    command = ["suricata", "-k", "none", "-c", folder / "configuration", "-S", folder / "rules", "-r", folder / "capture"]
    done = subprocess.run([*command, "-l", folder], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return {int(line.split("[1:")[1].split(":")[0]) for line in (folder / "fast.log").read_text().splitlines()}


@pytest.mark.parametrize("overlap", NAMES)
def test_suricata_lets_the_same_bytes_win(overlap, tmp_path):
    if shutil.which("suricata") is None:
        pytest.skip("needs suricata")
    version = subprocess.run(["suricata", "-V"], check=True, capture_output=True, text=True, timeout=20).stdout
    if VERSION not in version:
        pytest.skip(f"needs suricata {VERSION}, the version that was compared")
    ours = [winners_of(overlap, conversation(number, new)) for number, new in enumerate(NEW, 1)]
    assert suricata(overlap, tmp_path, ours) == set(range(1, len(NEW) + 1))
