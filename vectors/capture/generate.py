"""Write the capture vectors: python vectors/capture/generate.py, from the repository's root.

`vectors.json` says of each file what must be read from it and which mistake it catches.
"""

from __future__ import annotations

import gzip
import json
import struct
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.capture import forge  # noqa: E402 - after the path is set
from tests.capture.forge import Packet  # noqa: E402


class Vector(NamedTuple):
    """`frames`: [nanoseconds, captured length, wire length, interface name]; `error`: offset, or null."""

    data: bytes
    frames: list[list[int | str]]
    error: int | None
    catches: str


def vectors() -> dict[str, Vector]:
    """Every vector by file name."""
    nano = forge.pcap([Packet(2, 999_999_999, b"abc", 60)], ">", forge.NANO)
    cut = forge.pcap([Packet(1, 1, b"abcd"), Packet(2, 2, b"efgh")])[:-1]
    late = struct.pack("<q", -1)
    clocks = (
        forge.section()
        + forge.interface(1, options=forge.option(2, b"lan0") + forge.option(9, b"\x8a"))
        + forge.interface(101, options=forge.option(2, b"wan0") + forge.option(14, late))
        + forge.enhanced(3 << 10 | 512, b"a", 0)
        + forge.enhanced(5_000_000, b"b", 1)
    )
    lost = forge.section() + forge.interface() + forge.enhanced(7, b"x") + forge.enhanced(8, b"y", 3)
    two = gzip.compress(forge.pcap([Packet(1, 0, b"a")]), mtime=0) + gzip.compress(
        forge.pcap_record(Packet(2, 0, b"b")), mtime=0
    )
    return {
        "nanosecond-big-endian.pcap": Vector(nano, [[2_999_999_999, 3, 60, ""]], None, "fraction scaled as microseconds"),
        "cut-last-record.pcap": Vector(cut, [[1_000_001_000, 4, 4, ""]], 44, "a partial last record taken for whole"),
        "two-clocks.pcapng": Vector(
            clocks, [[3_500_000_000, 1, 1, "lan0"], [4_000_000_000, 1, 1, "wan0"]], None, "one clock for all interfaces"
        ),
        "lost-interface.pcapng": Vector(lost, [[7000, 1, 1, ""]], len(lost) - 36, "a packet of an undeclared interface"),
        "two-members.pcap.gz": Vector(
            two, [[1_000_000_000, 1, 1, ""], [2_000_000_000, 1, 1, ""]], None, "stopping after the first gzip member"
        ),
    }


def main() -> None:
    """Write the files and their description."""
    described = {}
    for name, vector in vectors().items():
        (HERE / name).write_bytes(vector.data)
        described[name] = {"frames": vector.frames, "error": vector.error, "catches": vector.catches}
    (HERE / "vectors.json").write_text(json.dumps(described, indent=2) + "\n")


if __name__ == "__main__":
    main()
