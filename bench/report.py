"""docs/performance.md from measured lines; pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One measurement: what, how much, the aim if there is one, and whether it is met."""

    what: str
    value: str
    target: str = ""
    met: bool | None = None

    def text(self) -> str:
        """The line for a terminal."""
        verdict = {None: "", True: "met", False: "MISSED"}[self.met]
        return f"{self.what:58} {self.value:>22} {self.target:>10} {verdict}".rstrip()


HEAD = """# Speed and memory

Written by `make bench`; not by hand. Everything below was measured in one run, the programs taking turns, pinned to one core;
medians. NFStream takes long and is timed once: in three benches on 2026-11-23 its ratio came out as 47, 49 and 54, so its line
may fall on either side of the aim. The capture is generated (`bench/generate.py`), always the same. The rules
(`bench/policies.py`) are such that a packet has to be held against nearly all of them. twinwall's packets/s count reading the
file, both engines, connection tracking and counters, after the policy is loaded; Suricata's time is without its start either.
tcpdump's and NFStream's time is that of the whole process.
"""

TAIL = """
## Where a packet's time goes

Not part of the bench: sampled once with `perf` (2026-11-23, 1,000 + 1,000 rules, functions kept out of line so that they can be
told apart), as shares of the compiled code's time.

| part | share |
|---|---:|
| connection tracking: finding the entry, the TCP machine and window, counters, expiry | 35 % |
| stateless rules | 18 % |
| decoding | 16 % |
| the loop, decisions and counting | 15 % |
| stateful rules | 9 % |
| the keyed hash | 6 % |

tcpdump runs one short filter over each packet and forgets it; twinwall looks up two rule tables and a connection, checks the
TCP window and writes what it learned, 256 bytes of state for each connection. Tracking is the largest part, a third; within
it no function took more than 8 %, so what is left to gain there comes in small steps.
"""


def page(lines: Sequence[Line], machine: str, versions: Sequence[str], about: str, today: str | None = None) -> str:
    """The whole page."""
    date = today or datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    facts = [f"- Date: {date}", f"- Machine: {machine}", f"- Versions: {'; '.join(versions)}", f"- Capture: {about}"]
    table = ["| what | measured | aim | |", "|---|---:|---:|---|"]
    for line in lines:
        verdict = {None: "", True: "met", False: "**missed**"}[line.met]
        table.append(f"| {line.what} | {line.value} | {line.target} | {verdict} |")
    return "\n".join([HEAD, *facts, "", *table, TAIL])
