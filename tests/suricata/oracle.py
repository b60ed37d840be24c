"""Suricata 7.0.10 as an oracle: a capture and rules in, what it reported and dropped, packet by packet, out.

It reads the capture offline; `inline=True` makes it a simulated IPS, so that it decides about packets.  The configuration is
written here and not the system's, because an answer must not depend on the machine:

- `stream.midstream: true` and `exception-policy: ignore`: a connection whose start was not seen is followed and judged by
  rules, as with twinwall's `midstream: continue` and `invalid: continue`;
- `drop-invalid: no`: the stream engine's opinion of a segment drops nothing;
- no application parsers: header rules do not need them, their errors are exceptions of their own, and a protocol found in
  the first data of a connection whose start was not seen may exchange its sides;
- timeouts as long as the comparison needs them.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

VERSION = "7.0.10"
HOUR = 3600

CONFIGURATION = """%YAML 1.1
---
vars:
  address-groups: {{HOME_NET: "[10.0.0.0/8,2001:db8::/32]", EXTERNAL_NET: "!$HOME_NET"}}
  port-groups: {{WEB: "[80,443,8000:8099]"}}
packet-alert-max: {alerts}
exception-policy: ignore
stats: {{enabled: no}}
stream: {{inline: {inline}, midstream: {midstream}, checksum-validation: no, drop-invalid: no, reassembly: {{depth: 0}}}}
defrag: {{trackers: 1000, max-frags: 10000, hash-size: 1024, prealloc: yes, timeout: 60}}
host-os-policy: {{{overlap}: [0.0.0.0/0, "::/0"]}}
app-layer: {{protocols: {{{protocols}}}}}
decoder: {{teredo: {{enabled: no}}, vxlan: {{enabled: no}}, geneve: {{enabled: no}}}}
flow: {{hash-size: 65536, prealloc: 1000}}
flow-timeouts:
  default: {{new: {new}, established: {established}, closed: {closed}}}
  tcp: {{new: {new}, established: {established}, closed: {closed}}}
  udp: {{new: {new}, established: {established}}}
  icmp: {{new: {new}, established: {established}}}
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types:
        - alert: {{verdict: yes}}
        - drop: {{alerts: no, flows: all}}
        - flow
"""


APPLICATIONS = (
    "http", "ftp", "smtp", "tls", "ssh", "imap", "smb", "dcerpc", "dns", "nfs", "ntp", "tftp", "ike", "krb5", "quic", "dhcp",
    "snmp", "sip", "rfb", "mqtt", "telnet", "rdp", "http2", "bittorrent-dht", "modbus", "dnp3", "enip", "pgsql",
)  # fmt: skip
NO_APPLICATIONS = ", ".join(
    "dns: {tcp: {enabled: no}, udp: {enabled: no}}" if name == "dns" else f"{name}: {{enabled: no}}" for name in APPLICATIONS
)


class Alert(NamedTuple):
    """One report of a rule; `blocked`: its action stopped the packet."""

    sid: int
    blocked: bool


@dataclass
class Observation:
    """What a firewall did to a capture.  Packets count from 1."""

    alerts: dict[int, Counter[Alert]] = field(default_factory=dict)
    dropped: dict[int, str] = field(default_factory=dict)  # packet → the reason as the firewall names it
    order: dict[int, list[int]] = field(default_factory=dict)  # packet → sids as logged
    flow_actions: Counter[str] = field(default_factory=Counter)  # Suricata only: pass, drop, or empty
    read: int = 0  # Suricata only: the packets that it found in the file

    def report(self, packet: int, alert: Alert) -> None:
        self.alerts.setdefault(packet, Counter())[alert] += 1
        self.order.setdefault(packet, []).append(alert.sid)

    def packets_of(self, sid: int) -> list[int]:
        """The packets on which a rule reported, once for each report."""
        found = [(packet, count) for packet, alerts in self.alerts.items() for one, count in alerts.items() if one.sid == sid]
        return [packet for packet, count in sorted(found) for _ in range(count)]

    def blocked_by(self, sid: int) -> bool:
        """Whether a rule's reports say `blocked`; False where it never reported."""
        return any(alert.blocked for alerts in self.alerts.values() for alert in alerts if alert.sid == sid)


@dataclass(frozen=True)
class Setting:
    """How Suricata is set up for one run."""

    inline: bool = True
    midstream: bool = True
    alerts: int = 15  # of one packet
    overlap: str = "linux"
    new: int = HOUR
    established: int = HOUR
    closed: int = HOUR

    def text(self) -> str:
        words = {name: "yes" if value is True else "no" if value is False else value for name, value in vars(self).items()}
        return CONFIGURATION.format(protocols=NO_APPLICATIONS, **words)


INLINE = Setting()
IDS = Setting(inline=False)


@functools.cache
def _installed() -> str:
    """Why Suricata cannot be asked; empty if it can."""
    if shutil.which("suricata") is None:
        return "needs suricata"
    version = subprocess.run(["suricata", "-V"], check=True, capture_output=True, text=True, timeout=60).stdout
    return "" if VERSION in version else f"needs suricata {VERSION}, the version that was compared"


def need_suricata() -> None:
    """Skip the test by name where the oracle is missing."""
    if _installed():
        pytest.skip(_installed())


def ask_suricata(folder: Path, capture: Path, rules: str, setting: Setting = INLINE) -> Observation:
    """Run Suricata in `folder`, which must not be shared, on a capture."""
    need_suricata()
    (folder / "rules").write_text(rules)
    (folder / "suricata.yaml").write_text(setting.text())
    (folder / "eve.json").unlink(missing_ok=True)
    command = ["suricata", "-r", capture, "-S", folder / "rules", "-l", folder, "-c", folder / "suricata.yaml"]
    command += ["-k", "none", "--runmode", "single"] + ["--simulate-ips"] * setting.inline
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert " 0 rules failed" in said or not rules.strip(), said
    seen = read_eve(folder / "eve.json")
    counts = re.findall(r"read \d+ file, (\d+) packets", said)
    seen.read = int(counts[0]) if counts else 0
    return seen


def read_eve(path: Path) -> Observation:
    """The records of a run."""
    seen = Observation()
    for line in path.read_text().splitlines():
        record = json.loads(line)
        kind = record["event_type"]
        if kind == "flow":
            seen.flow_actions[record["flow"].get("action", "")] += 1
        elif "pcap_cnt" not in record:
            continue
        elif kind == "alert":
            alert = record["alert"]
            seen.report(record["pcap_cnt"], Alert(alert["signature_id"], alert["action"] == "blocked"))
        elif kind == "drop":
            seen.dropped[record["pcap_cnt"]] = record["drop"]["reason"]
    return seen
