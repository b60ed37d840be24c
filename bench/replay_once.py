"""One replay with a stopwatch inside: `python -m bench.replay_once POLICY CAPTURE` prints one line of JSON.

Times are in seconds, `peak` is the kernel's VmHWM of this process in bytes.

The loop is the one that `twinwall replay` runs when only the summary is asked for: read, decode, both engines, counters.
`BENCH_START` in the environment is the parent's monotonic clock just before it started this process.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path


def peak() -> int:
    """The most resident memory that this process ever had, in bytes.

    Not `ru_maxrss`: that one begins with what the parent held when it forked.
    """
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


def main() -> None:
    """Replay and print what was measured."""
    begun = float(os.environ.get("BENCH_START", time.monotonic()))
    from twinwall import Policy
    from twinwall.capture import open_captures
    from twinwall.capture.framer import native_framer
    from twinwall.compile.policy import compile_policy
    from twinwall.engine.engine import Engine
    from twinwall.engine.machine import NativeMachine

    imported = time.monotonic()
    policy = Policy.load(sys.argv[1])
    parsed = time.monotonic()
    compiled = compile_policy(policy)
    tables = time.monotonic()
    engine = Engine(policy, compiled, NativeMachine(), keep=False)
    frames = open_captures([sys.argv[2]], framer=native_framer())
    ready = time.monotonic()
    first = 0.0
    for batch in frames:
        engine.feed(batch)
        first = first or time.monotonic()
    engine.finish()
    ended = time.monotonic()
    shown = {
        "packets": engine.packets,
        "import": imported - begun,
        "parse": parsed - imported,
        "tables": tables - parsed,
        "first_packet": first - begun,
        "replay": ended - ready,
        "whole": ended - begun,
        "peak": peak(),
    }
    print(json.dumps(shown))


if __name__ == "__main__":
    main()
