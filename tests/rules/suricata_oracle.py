"""Suricata as an oracle: which rules it accepts, what kind of rule it takes them for, and what they match."""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest

CONFIGURATION = Path("/etc/suricata/suricata.yaml")


def need_suricata() -> str:
    program = shutil.which("suricata")
    if program is None or not CONFIGURATION.exists():
        pytest.skip("suricata is not installed")
    version = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=60, check=False).stdout
    if "version 7." not in version:
        pytest.skip(f"needs Suricata 7, found: {version.strip()}")
    return program


def _run(folder: Path, rules: list[str], *arguments: str) -> str:
    (folder / "the.rules").write_text("\n".join(rules) + "\n")
    command = [need_suricata(), "-S", "the.rules", "-l", str(folder), "-c", str(CONFIGURATION), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)
    return done.stdout + done.stderr


def refused(folder: Path, rules: list[str]) -> set[int]:
    """The indices of the rules that Suricata does not load."""
    output = _run(folder, rules, "-T")
    return {int(line) - 1 for line in re.findall(r"from file the\.rules at line (\d+)", output)}


def types(folder: Path, rules: list[str]) -> dict[int, str]:
    """What type Suricata gives each rule, by sid."""
    _run(folder, rules, "--engine-analysis")
    lines = (folder / "rules.json").read_text().splitlines()
    return {record["id"]: record["type"] for record in map(json.loads, lines)}


def alerts(folder: Path, rules: list[str], packets: list[bytes]) -> tuple[Counter[tuple[int, int]], list[int]]:
    """How often each (packet from 1, sid) alerts, and the sids in the order of the log."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)  # raw IP
    records = [struct.pack("<IIII", 1000 + at, 0, len(packet), len(packet)) + packet for at, packet in enumerate(packets)]
    (folder / "the.pcap").write_bytes(header + b"".join(records))
    (folder / "eve.json").unlink(missing_ok=True)
    _run(folder, rules, "-r", "the.pcap", "-k", "none", "--runmode", "single")
    events = [json.loads(line) for line in (folder / "eve.json").read_text().splitlines()]
    found = [(event["pcap_cnt"], event["alert"]["signature_id"]) for event in events if event["event_type"] == "alert"]
    return Counter(found), [sid for _, sid in found]


def udp(source: str, destination: str, sport: int = 1000, dport: int = 53, payload: bytes = b"x", ttl: int = 64) -> bytes:
    """A UDP packet without checksums."""
    datagram = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    return _ip(source, destination, 17, datagram, ttl)


def tcp(source: str, destination: str, flags: int, *, sport: int = 1000, dport: int = 80) -> bytes:
    """A TCP packet without data."""
    return _ip(source, destination, 6, struct.pack(">HHIIBBHHH", sport, dport, 1, 1, 5 << 4, flags, 1024, 0, 0), 64)


def _ip(source: str, destination: str, protocol: int, payload: bytes, ttl: int) -> bytes:
    first, second = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if first.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(payload), protocol, ttl) + first.packed + second.packed + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 7, 0, ttl, protocol, 0)
    return head + first.packed + second.packed + payload
