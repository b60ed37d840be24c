"""What a change costs: `apply` from the command line, and packets while the policy is replaced a hundred times."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.kernel.place import clear_rules
from bench.policies import stateful_rules, stateless_rules
from twinwall.lab.places import Place
from twinwall.lab.shield import Shield
from twinwall.rules.policy_file import read_policy_text

RELOADS = 100
PORT = 5300
GAP = 0.0005  # seconds between two packets of a flow during reloads

ATTACH = "attach:\n  mode: gateway\n  inside: in0\n  outside: out0\n"


def rules_policy(count: int) -> str:
    """`count` rules, half of them in each stage."""
    half = count // 2
    stateless = "".join(f"    {line}\n" for line in stateless_rules(half))
    stateful = "".join(f"    {line}\n" for line in stateful_rules(half))
    return (
        f"twinwall: 1\nstateless:\n  default: forward\n  rules: |\n{stateless}"
        f"stateful:\n  order: strict\n  midstream: continue\n  rules: |\n{stateful}{ATTACH}"
    )


SET_POLICY = f"""twinwall: 1
variables:
  LISTED: {{file: listed.txt}}
stateful:
  order: strict
  default: drop_strict
  rules: |
    drop ip $LISTED any -> any any (msg:"listed"; sid:1;)
    pass ip any any -> any any (sid:2;)
{ATTACH}"""


def addresses(count: int) -> str:
    """`count` addresses, one a line, no two of which touch."""
    numbers = (0x0B000000 + 3 * number for number in range(count))
    return "\n".join(".".join(str(each >> shift & 0xFF) for shift in (24, 16, 8, 0)) for each in numbers)


def apply_seconds(text: str, rounds: int, listed: str = "") -> float:
    """Seconds of `twinwall apply`, from start to end, in the place of a small policy; `listed` is the text of listed.txt."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.yaml"), Path(folder, "large.yaml")
        small.write_text(rules_policy(10))
        large.write_text(text)
        Path(folder, "listed.txt").write_text(listed)
        try:
            for _ in range(rounds):
                _twinwall(folder, "apply", str(small), "--yes")
                start = time.perf_counter()
                _twinwall(folder, "apply", str(large), "--yes")
                taken.append(time.perf_counter() - start)
        finally:
            _twinwall(folder, "stop", "--yes")
            clear_rules()
    return median(taken)


def _twinwall(folder: str, *words: str) -> None:
    program = Path(sys.executable).parent / "twinwall"
    given = {**os.environ, "TWINWALL_STATE": str(Path(folder, "state"))}
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, env=given, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"twinwall {' '.join(words)}: {done.stderr.strip()[-800:]}")


@dataclass(frozen=True)
class Reloads:
    """What a flow that every policy passes lost, and what of a flow that every policy drops came through."""

    sent: int
    lost: int
    wrongly_passed: int
    seconds: float  # a change, on average


SENDER = """
import select, socket, sys
target, port, other, gap = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 40000))
count = 0
while not select.select([sys.stdin], [], [], gap)[0]:
    s.sendto(count.to_bytes(4, "big"), (target, port))
    s.sendto(count.to_bytes(4, "big"), (target, other))
    count += 1
print(count)
"""

RECEIVER = """
import socket, sys, select
good, bad = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
good.bind(("", int(sys.argv[1])))
bad.bind(("", int(sys.argv[2])))
good.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
seen, wrong = set(), 0
print("ready", flush=True)
ends = False
while True:
    found = select.select([good, bad, sys.stdin] if not ends else [good, bad], [], [], 0.5 if ends else None)[0]
    if ends and not found:
        break
    if good in found:
        seen.add(good.recv(64))
    if bad in found:
        bad.recv(64)
        wrong += 1
    if sys.stdin in found:
        ends = True
print(len(seen), wrong)
"""


def reload(inside: Place, outside: Place, show: Callable[[str], None]) -> Reloads:
    """Replace the policy a hundred times while two flows send: one that is always passed, one that is always dropped."""
    policies = []
    for turn in range(2):
        text = _reload_policy(turn)
        parsed, mistakes = read_policy_text(text, "bench", lambda name: Path(name).read_text())
        assert parsed is not None, mistakes
        policies.append(parsed)
    with tempfile.TemporaryDirectory() as folder:
        shield = Shield(Path(folder))
        shield.change(policies[0])
        try:
            with _running(outside, RECEIVER, str(PORT), str(PORT + 1)) as receiver:
                assert receiver.stdout is not None
                receiver.stdout.readline()
                with _running(inside, SENDER, "10.2.0.9", str(PORT), str(PORT + 1), str(GAP)) as sender:
                    start = time.perf_counter()
                    for turn in range(RELOADS):
                        if turn % 10 == 0:
                            show(f"reloading under traffic: {turn} of {RELOADS}")
                        shield.change(policies[(turn + 1) % 2])
                    seconds = (time.perf_counter() - start) / RELOADS
                    sent = int(_end(sender))
                received, wrong = map(int, _end(receiver).split())
        finally:
            shield.remove()
            clear_rules()
    return Reloads(sent, sent - received, wrong, seconds)


def _reload_policy(turn: int) -> str:
    rules = [
        f"drop udp any any -> any {PORT + 1} (sid:1;)",
        f"pass udp 10.1.0.0/16 any -> any {PORT} (sid:{2 + turn};)",
    ]
    lines = "".join(f"    {rule}\n" for rule in rules)
    return f"twinwall: 1\nstateful:\n  order: strict\n  default: drop_strict\n  rules: |\n{lines}{ATTACH}"


def _running(place: Place, script: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        place.command(["python3", "-c", script, *words]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=(place.descriptor,),
    )  # fmt: skip


def _end(process: subprocess.Popen[str]) -> str:
    """Ask a program to end by closing its input; what it printed last."""
    watch = threading.Timer(30, process.kill)
    watch.start()
    try:
        said, _ = process.communicate()
    finally:
        watch.cancel()
    return said.strip().splitlines()[-1]
