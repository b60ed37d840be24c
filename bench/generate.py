"""Write the capture that the bench replays: deterministic, byte for byte, and written in seconds.

    python -m bench.generate [--times N] [--packets P] [--flows F] [FILE]

One wave is 2.4 million packets of 200,000 flows over two minutes (about 260 MB).  `--times 4` writes four waves one after
the other: four times as long, with the same number of flows alive at any moment, because a closed TCP connection and an
answered UDP flow stay in Linux's table for two minutes, the length of one wave.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.conversations import SECOND, Packets, draw_flows, draw_packets
from bench.frames import FILE_HEADER, encode

WORK = Path(__file__).resolve().parent / ".work"
PACKETS = 2_400_000
FLOWS = 200_000
WAVE = 120 * SECOND
EPOCH = 1_750_000_000 * SECOND  # the capture's first second
CHUNK = 200_000  # packets encoded at a time
SEED = 20_260_701


def waves(times: int, packets: int, flows: int) -> Iterator[Packets]:
    """The packets of each wave in time order; those that outlive their wave come with the next one."""
    random = np.random.default_rng(SEED)
    late: list[Packets] = []
    for wave in range(times):
        start = EPOCH + wave * WAVE
        drawn = draw_packets(random, draw_flows(random, flows, packets, start, WAVE))
        joined = Packets.join([*late, drawn])
        last = wave == times - 1
        now = np.ones(len(joined), np.bool_) if last else joined.time < start + WAVE
        late = [joined.take(~now)]
        yield joined.take(now)


def write(path: Path, times: int = 1, packets: int = PACKETS, flows: int = FLOWS) -> int:
    """Write the capture and return its number of packets.  An interrupted run leaves no file under the final name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    random = np.random.default_rng(SEED + 1)
    written = 0
    with unfinished.open("wb") as out:
        out.write(FILE_HEADER)
        for wave in waves(times, packets, flows):
            for first in range(0, len(wave), CHUNK):
                out.write(encode(wave.take(np.arange(first, min(first + CHUNK, len(wave)))), random))
            written += len(wave)
    unfinished.replace(path)
    return written


def capture(times: int = 1) -> Path:
    """The capture's path below `bench/.work`, written first if it is not there."""
    path = WORK / f"traffic-{times}x.pcap"
    if not path.exists():
        write(path, times)
    return path


def main() -> None:
    """Write one capture as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="default: bench/.work/traffic-Nx.pcap")
    parser.add_argument("--times", type=int, default=1, help="how many waves")
    parser.add_argument("--packets", type=int, default=PACKETS, help="packets of one wave")
    parser.add_argument("--flows", type=int, default=FLOWS, help="flows of one wave")
    asked = parser.parse_args()
    path = asked.file or WORK / f"traffic-{asked.times}x.pcap"
    count = write(path, asked.times, asked.packets, asked.flows)
    print(f"{path}: {count:,} packets, {path.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
