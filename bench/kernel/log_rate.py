"""How many reported packets a second become EVE records, from the kernel's message to the line of JSON.

    python -m bench.kernel.log_rate

Packets that a rule drops and reports are sent over the loopback of a namespace first; then the log's own work is timed, in
processor time, with the compiled decoder and with the interpreter.  Needs root.
"""

from __future__ import annotations

import gc
import socket
import sys
import time
from typing import TYPE_CHECKING

from tests.oracle.kernel import Namespace, why_unavailable
from twinwall.cli.main import COLLECT
from twinwall.enforce.log import EventLog, decoding_machine
from twinwall.enforce.rulebook import FixedRules, RuleBook
from twinwall.enforce.source import Kind, Source
from twinwall.events.eve import json_lines
from twinwall.events.reported import INTERPRETED
from twinwall.policy.model import Attach
from twinwall.render.marks import ACTION_SHIFT, RuleAction

if TYPE_CHECKING:
    from twinwall.engine.machine import Machine

GROUP, PORT = 1776, 9000
REPORTS = 5000  # as many as wait in the log's buffer
ROUNDS = 5
RULES = f'drop udp any any -> any {PORT} (msg:"no"; sid:7;)\n'
MARK = RuleAction.DROP << ACTION_SHIFT | 1
RULESET = f"""
table inet measured {{
  chain input {{ type filter hook input priority 0;
    udp dport {PORT} meta mark set {MARK:#x} log group {GROUP} prefix "twinwall 1" snaplen 128 drop
  }}
}}
"""


def rate(machine: Machine) -> float:
    """Reports a second of processor time, the best of some rounds."""
    policy = Source(Kind.RULES, (("r.rules", RULES),)).policy()
    rules = FixedRules(RuleBook(policy.stateful.rules, Attach(log_group=GROUP)))
    with EventLog(rules, machine=machine) as log, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", PORT))
        return max(one_round(log, sender) for _ in range(ROUNDS))


def one_round(log: EventLog, sender: socket.socket) -> float:
    """Send, then read everything: two records a report."""
    for _ in range(REPORTS):
        sender.send(b"hello")
    began, records = time.process_time(), 0
    while records < 2 * REPORTS:
        found = log.records(1000)
        json_lines(found)
        records += len(found)
    return REPORTS / (time.process_time() - began)


def main() -> int:
    """Print both rates."""
    why = why_unavailable()
    if why:
        sys.stdout.write(f"{why}\n")
        return 1
    gc.set_threshold(*COLLECT)  # as the program does
    space = Namespace()
    try:
        space.run("ip", "link", "set", "lo", "up")
        space.run("nft", "-f", "-", text=RULESET)
        with space.entered():
            for name, machine in (("compiled", decoding_machine(lambda: None)), ("interpreted", INTERPRETED)):
                sys.stdout.write(f"{name:12} {rate(machine):8,.0f} reports/s\n")
    finally:
        space.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
