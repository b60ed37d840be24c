"""Measure enforcement and write docs/enforcement-speed.md.  Root; in a network namespace of its own.

python -m bench.kernel.run [--rounds N] [--output FILE]
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from pathlib import Path

from bench.machine import describe, versions

ROOT = Path(__file__).resolve().parent.parent.parent
ALONE = "TWINWALL_BENCH_NAMESPACE"


def alone(arguments: list[str]) -> None:
    """Start again in a network namespace of one's own: the machine's interfaces are none of ours."""
    if os.environ.get(ALONE):
        return
    os.environ[ALONE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", "bench.kernel.run", *arguments])


def main() -> int:
    """Exit 0: measured and written, whether or not an aim is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=ROOT / "docs/enforcement-speed.md")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        print("bench.kernel: skipped, it needs root for network namespaces and XDP", file=sys.stderr)
        return 0
    alone(sys.argv[1:])
    from bench.kernel import change, drop, forward
    from bench.kernel.page import lines, page
    from bench.kernel.place import build

    def show(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    inside, outside = build()
    drops = drop.measure(asked.rounds, show)
    forwarding = forward.measure(asked.rounds, inside, outside, show)
    show("apply of 10,000 rules and of 100,000 addresses")
    applied = (
        change.apply_seconds(change.rules_policy(10_000), asked.rounds),
        change.apply_seconds(change.SET_POLICY, asked.rounds, change.addresses(100_000)),
    )
    reloads = change.reload(inside, outside, show)
    for line in lines(drops, forwarding, applied, reloads):
        print(line.text())
    facts = (f"Machine: {describe()}", f"Versions: {'; '.join(versions())}", f"{asked.rounds} rounds")
    today = datetime.datetime.now(tz=datetime.UTC).date()
    asked.output.write_text(page(drops, forwarding, applied, reloads, facts, today))
    print(f"written: {asked.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
