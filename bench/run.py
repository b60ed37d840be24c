"""Measure twinwall beside its peers and write docs/performance.md.

    python -m bench.run [--rounds N] [--output FILE]

All programs run pinned to one core, one after the other, in rounds: what disturbs the machine disturbs them all.  Medians.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.generate import FLOWS, PACKETS, WORK, capture, write
from bench.machine import CACHE_VARIABLE, describe, versions
from bench.peers import Missing, Peer, ours, peers
from bench.policies import write_policy
from bench.report import Line, page
from bench.stopwatch import FailedError, run

ROOT = Path(__file__).resolve().parent.parent
MEGABYTE = 1_000_000
SIZES = (10, 1_000, 10_000)
SAMPLE = "tcp 10.20.0.5:40000 > 198.18.0.7:443 S"


class Bench:
    """One run of the bench: the inputs, the samples, the lines of the report."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.capture = capture(1)
        self.longer = capture(4)
        self.tiny = WORK / "tiny.pcap"
        write(self.tiny, packets=60, flows=5)
        self.policies = {size: write_policy(WORK / f"policy-{size}.yaml", size) for size in SIZES}
        self.lines: list[Line] = []

    def note(self, line: Line) -> None:
        """Keep a line of the report and show it."""
        self.lines.append(line)
        print(line.text(), flush=True)

    def replay(self, size: int, traffic: Path, **environment: str) -> dict[str, float]:
        """One replay: what its own stopwatch showed (`bench.replay_once`)."""
        done = run([*ours(), self.policies[size], traffic], environment=environment)
        shown: dict[str, float] = json.loads(done.output.splitlines()[-1])
        return shown

    def speed(self) -> None:
        """Packets per second of everybody, interleaved."""
        found = peers(self.tiny)
        for absent in (each for each in found if isinstance(each, Missing)):
            self.note(Line(f"{absent.name}: skipped, {absent.reason}", ""))
        running = [each for each in found if isinstance(each, Peer)]
        others: dict[str, list[float]] = {peer.name: [] for peer in running}
        own: dict[int, list[float]] = {size: [] for size in SIZES}
        whole: list[float] = []
        for turn in range(self.rounds):
            for peer in running:
                if turn == 0 or not peer.once:
                    others[peer.name].append(PACKETS / peer.seconds(self.capture))
            self.replay(1_000, self.capture)  # not counted: the peers leave caches and the clock rate in another state
            start = turn % len(SIZES)
            for size in SIZES[start:] + SIZES[:start]:  # each size takes each place in the order
                shown = self.replay(size, self.capture)
                own[size].append(shown["packets"] / shown["replay"])
                if size == 1_000:
                    whole.append(shown["packets"] / shown["whole"])
        self.compare(running, {name: median(rates) for name, rates in others.items()}, {n: median(r) for n, r in own.items()})
        self.note(Line("the same as a whole process, start and policy included", f"{median(whole) / 1e6:.2f} M packets/s"))

    def compare(self, running: list[Peer], others: dict[str, float], own: dict[int, float]) -> None:
        """The lines of the speed table."""
        mine = own[1_000]
        self.note(Line("twinwall, 1,000 + 1,000 rules", f"{mine / 1e6:.2f} M packets/s"))
        wanted = {"tcpdump": 1, "Suricata": 10, "NFStream": 50}
        for peer in running:
            factor = wanted[peer.name.split(maxsplit=1)[0].rstrip(",")]
            ratio = mine / others[peer.name]
            self.note(Line(peer.name, f"{others[peer.name] / 1e6:.3f} M packets/s"))
            self.note(Line(f"twinwall ÷ {peer.name}", f"{ratio:.2f}", f"≥ {factor}", ratio >= factor))
        ratio = own[10_000] / own[10]
        self.note(Line("twinwall, 10 + 10 rules", f"{own[10] / 1e6:.2f} M packets/s"))
        self.note(Line("twinwall, 10,000 + 10,000 rules", f"{own[10_000] / 1e6:.2f} M packets/s"))
        self.note(Line("10,000 + 10,000 rules ÷ 10 + 10 rules", f"{ratio:.2f}", "≥ 0.70", ratio >= 0.7))

    def memory(self) -> None:
        """Peak resident memory for one capture and for one that is four times as long."""
        peaks = [self.replay(1_000, traffic)["peak"] / MEGABYTE for traffic in (self.capture, self.longer)]
        self.note(Line("peak resident memory", f"{peaks[0]:.0f} MB", "≤ 500 MB", peaks[0] <= 500))
        self.note(Line("the same, capture 4 times as long", f"{peaks[1]:.0f} MB", "≤ 500 MB", peaks[1] <= 500))
        growth = peaks[1] / peaks[0]
        self.note(Line("4 times as long ÷ once", f"{growth:.2f}", "≤ 1.10", growth <= 1.1))

    def waiting(self) -> None:
        """What a user waits for."""
        tables = [self.replay(10_000, self.tiny) for _ in range(self.rounds)]
        build = median(each["tables"] for each in tables)
        self.note(Line("10,000 + 10,000 rules parsed", f"{median(each['parse'] for each in tables):.2f} s"))
        self.note(Line("10,000 + 10,000 rules compiled", f"{build:.2f} s", "≤ 2 s", build <= 2))
        program = shutil.which("twinwall", path=str(Path(sys.executable).parent)) or "twinwall"
        questions: list[tuple[str, list[str | Path], float]] = [
            ("`twinwall --help`", [program, "--help"], 0.2),
            ("`twinwall explain`", [program, "explain", ROOT / "examples/office/policy.yaml", SAMPLE], 0.6),
        ]
        for name, words, limit in questions:
            taken = median(run(words).seconds for _ in range(2 * self.rounds + 1))
            self.note(Line(name, f"{taken:.2f} s", f"≤ {limit} s", taken <= limit))
        first = median(self.replay(1_000, self.capture)["first_packet"] for _ in range(self.rounds))
        self.note(Line("start of a replay to its first decided batch", f"{first:.2f} s", "≤ 1.5 s", first <= 1.5))
        with tempfile.TemporaryDirectory(dir=WORK) as empty:
            cold = self.replay(10, self.tiny, **{CACHE_VARIABLE: empty})["whole"]
        warm = self.replay(10, self.tiny)["whole"]
        self.note(Line("compilation of the packet path, once a machine", f"{cold - warm:.1f} s", "≤ 30 s", cold - warm <= 30))


def main() -> int:
    """Exit 0: measured and written, whether or not a line is met; 1: a program failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=ROOT / "docs/performance.md")
    asked = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    try:
        bench = Bench(asked.rounds)
        bench.replay(10, bench.tiny)  # compiles the packet path, where that was not done yet
        bench.speed()
        bench.memory()
        bench.waiting()
    except FailedError as problem:
        print(problem, file=sys.stderr)
        return 1
    about = f"{PACKETS:,} packets, {FLOWS:,} flows, {bench.capture.stat().st_size / MEGABYTE:.0f} MB; {asked.rounds} rounds"
    asked.output.write_text(page(bench.lines, describe(), versions(), about))
    print(f"written: {asked.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
