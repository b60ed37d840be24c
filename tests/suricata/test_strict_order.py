"""Strict order.  Suricata 7 has none, so what a rule matches comes from it and what follows from a plain walk down the list.

Every rule is run as an alert of its own; the walk then does what the list says: the first pass ends it, the first to decide
gives the verdict, a rule of addresses and ports marks the flow, default actions take what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import pytest

from tests.suricata.conversations import Capture, capture_of
from tests.suricata.oracle import Alert, Observation, ask_suricata
from tests.suricata.ours import ask_twinwall, policy_of
from tests.suricata.scripts import REGULAR

ONE_FLOW = [(name, script) for name, script in REGULAR if name != "two_pings"]
ESTABLISHED, OTHER = 901, 902
PROBES = (
    f"alert tcp any any -> any any (flow:established,to_server; sid:{ESTABLISHED};)",
    f"alert ip any any -> any any (ip_proto:!6; ttl:>0; sid:{OTHER};)",
)
LISTS = {
    "drop above pass": [
        "drop tcp any any -> any any (flow:to_server; sid:1;)", "pass tcp any any -> any 80 (flow:to_server; sid:2;)",
    ],
    "alert above drop above pass": [
        "alert tcp any any -> any any (flags:S; sid:1;)", "drop tcp any any -> any 8080 (flow:to_server; sid:2;)",
        "pass tcp any any -> any any (flow:to_server; sid:3;)", "alert tcp any any -> any any (flow:to_server; sid:4;)",
    ],
    "pass for the flow below drop for a packet": [
        "drop tcp any any -> any any (flags:S; sid:1;)", "pass tcp any any -> any any (sid:2;)",
        "drop ip any any -> any any (sid:3;)",
    ],
    "drop for the flow below pass for packets": [
        "pass tcp any any -> any 80 (flow:to_server; sid:1;)", "drop tcp any any -> any any (sid:2;)",
    ],
    "reject below drop": [
        "drop tcp any any -> any any (dsize:>100; flow:established; sid:1;)",
        "reject tcp any any -> any 8080 (flow:to_server; sid:2;)",
        "pass ip any any -> any any (flow:to_client; sid:3;)",
    ],
    "pass for what servers say": ["pass udp any any -> any 53 (sid:1;)", "pass ip any any -> any any (flow:to_client; sid:2;)"],
    "nothing": ["alert icmp any any -> any any (itype:8; sid:1;)"],
}  # fmt: skip
DEFAULTS = ((), ("drop_strict",), ("drop_established",), ("drop_established", "alert_established"))


@dataclass
class Walk:
    """One flow under a list of rules."""

    rules: list[str]
    default: tuple[str, ...]
    verdict: str = ""
    alerts: list[list[Alert]] = field(default_factory=list)
    dropped: list[bool] = field(default_factory=list)

    def packet(self, matched: set[int]) -> None:
        self.alerts.append([])
        if self.verdict:
            self.dropped.append(self.verdict != "pass")
            return
        decided = ""
        for sid, rule in enumerate(self.rules, 1):
            action = rule.split()[0]
            if sid not in matched:
                continue
            if action != "pass":
                self.alerts[-1].append(Alert(sid, action != "alert"))
            if action == "alert":
                continue
            if rule.endswith(f"(sid:{sid};)"):  # addresses and ports alone: for the flow
                self.verdict = self.verdict or action
            decided = decided or action
            if action == "pass":
                break
        if not decided:
            self.dropped.append(self.left_over(matched))
        else:
            self.dropped.append(decided != "pass")

    def left_over(self, matched: set[int]) -> bool:
        if "drop_strict" in self.default:
            return True
        hit = bool(self.default) and bool(matched & {ESTABLISHED, OTHER})
        if hit and "alert_established" in self.default:
            self.alerts[-1].append(Alert(4 if ESTABLISHED in matched else 2, True))
        return hit


def expected(rules: list[str], default: tuple[str, ...], capture: Capture, matches: Observation) -> Iterator[tuple]:
    for _, group in groupby(range(1, len(capture.names) + 1), key=lambda packet: capture.name(packet).split("[")[0]):
        walk = Walk(rules, default)
        for packet in group:
            walk.packet(set(matches.order.get(packet, ())))
            yield capture.name(packet), walk.alerts[-1], walk.dropped[-1]


@pytest.mark.parametrize("name", LISTS)
def test_rules_are_asked_as_written(name, tmp_path):
    capture = capture_of(tmp_path / "capture", ONE_FLOW)
    rules = LISTS[name]
    alone = [f"alert {rule.split(' ', 1)[1]}" for rule in rules]
    matches = ask_suricata(tmp_path, capture.path, "\n".join([*alone, *PROBES]))
    for default in DEFAULTS:
        ours = ask_twinwall(policy_of("\n".join(rules), "strict", default), capture.path)
        found = [
            (at, sorted(ours.alerts.get(packet, ())), packet in ours.dropped) for packet, at in enumerate(capture.names, 1)
        ]
        wanted = [(at, sorted(alerts), dropped) for at, alerts, dropped in expected(rules, default, capture, matches)]
        assert found == wanted
