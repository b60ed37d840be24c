"""Write the bench's policies: N stateless and N stateful header rules, and the same stateful rules for Suricata.

    python -m bench.policies N [FOLDER]

The mixture is what large rule sets are made of: prefixes of all lengths in both families, single ports, ranges and lists,
TCP flags, `flow:` options, ICMP types.  Most of them concern hosts that the bench's capture does not contain, so a packet is
held against all rules; the rules that do decide the bulk of the traffic stand at the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bench.generate import WORK

SEED = 7
PORTS = ["80", "443", "[80,443]", "[80,443,8080:8099]", "22", "53", "1024:65535", "3306", "[5432,6432]", "8000:8999", "any"]
STATELESS_OPTIONS = ["", "", "", " flags:S,12;", " flags:SF,12;", " flags:R+;"]
STATEFUL_OPTIONS = [
    "",
    " flow:to_server;",
    " flow:to_server,established;",
    " flow:to_client,established;",
    " flow:not_established;",
]

# The last rules of each stage; every packet of the capture gets as far as these.
STATELESS_END = ["drop tcp any any -> any any (flags:SF,12; sid:{sid};)", "forward ip any any -> any any (sid:{sid};)"]
STATEFUL_END = [
    "pass tcp [10.20.0.0/16,2001:db8:20::/48] any <> [198.18.0.0/15,2001:2::/48] any (flow:established; sid:{sid};)",
    "pass udp [10.20.0.0/16,2001:db8:20::/48] any <> [198.18.0.0/15,2001:2::/48] any (flow:established; sid:{sid};)",
]
FIRST_STATEFUL_SID = 1_000_001

HEAD = """twinwall: 1
stateless:
  default: forward
  fragments: forward
  rules: |
"""
MIDDLE = """stateful:
  order: strict
  default: []
  midstream: continue
  rules: |
"""


def prefix(random: np.random.Generator, ipv6: bool) -> str:
    """A network somewhere in the documentation and shared ranges, where the capture has no hosts."""
    if ipv6:
        length = int(random.integers(36, 65))
        bits = int(random.integers(1 << 31, 1 << 32)) << 64 | 0x20010DB8 << 96
        kept = bits >> (128 - length) << (128 - length)
        return ":".join(f"{kept >> shift & 0xFFFF:x}" for shift in range(112, -16, -16)) + f"/{length}"
    length = int(random.choice([8, 16, 20, 24, 28, 32], p=[0.01, 0.15, 0.14, 0.4, 0.1, 0.2]))
    first = int(random.choice([11, 100, 172, 192, 203]))
    bits = first << 24 | int(random.integers(0, 1 << 24))
    kept = bits >> (32 - length) << (32 - length)
    return ".".join(str(kept >> shift & 0xFF) for shift in (24, 16, 8, 0)) + f"/{length}"


def ends(random: np.random.Generator) -> tuple[str, str]:
    """Source and destination of one rule; one side is the capture's inside network in a third of the rules."""
    ipv6 = bool(random.random() < 0.1)
    inside = "2001:db8:20::/48" if ipv6 else "10.20.0.0/16"
    kind = random.random()
    if kind < 0.33:
        return inside, prefix(random, ipv6)
    if kind < 0.5:
        return prefix(random, ipv6), inside
    return prefix(random, ipv6), prefix(random, ipv6)


def rule(random: np.random.Generator, actions: list[str], options: list[str], sid: int) -> str:
    """One rule of the mixture."""
    source, target = ends(random)
    action = actions[int(random.integers(len(actions)))]
    protocol = str(random.choice(["tcp", "udp", "icmp", "ip"], p=[0.65, 0.22, 0.05, 0.08]))
    port = PORTS[int(random.integers(len(PORTS)))] if protocol in {"tcp", "udp"} else "any"
    option = options[int(random.integers(len(options)))]
    if protocol == "icmp":
        option = f" itype:{random.integers(0, 15)};"
    if protocol != "tcp" and "flags" in option:
        option = ""
    return f"{action} {protocol} {source} any -> {target} {port} ({option.strip()}{' ' if option else ''}sid:{sid};)"


def stateless_rules(count: int) -> list[str]:
    """The stateless stage: `count` rules."""
    random = np.random.default_rng(SEED)
    body = [rule(random, ["drop", "pass", "drop", "forward"], STATELESS_OPTIONS, sid) for sid in range(1, count - 1)]
    return body + [line.format(sid=count - 1 + place) for place, line in enumerate(STATELESS_END)]


def stateful_rules(count: int) -> list[str]:
    """The stateful stage: `count` rules."""
    random = np.random.default_rng(SEED + 1)
    sids = range(FIRST_STATEFUL_SID, FIRST_STATEFUL_SID + count - 2)
    body = [rule(random, ["drop", "pass", "alert", "pass"], STATEFUL_OPTIONS, sid) for sid in sids]
    return body + [line.format(sid=sids.stop + place) for place, line in enumerate(STATEFUL_END)]


def write_policy(path: Path, count: int) -> Path:
    """Write the policy with `count` + `count` rules."""
    text = HEAD + "".join(f"    {line}\n" for line in stateless_rules(count))
    text += MIDDLE + "".join(f"    {line}\n" for line in stateful_rules(count))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_peer_rules(path: Path, count: int) -> Path:
    """Write the stateful rules of `write_policy` as Suricata reads them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in stateful_rules(count)))
    return path


def main() -> None:
    """Write one policy and its peer's rules as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, help="rules in each stage")
    parser.add_argument("folder", nargs="?", type=Path, default=WORK)
    asked = parser.parse_args()
    print(write_policy(asked.folder / f"policy-{asked.count}.yaml", asked.count))
    print(write_peer_rules(asked.folder / f"peer-{asked.count}.rules", asked.count))


if __name__ == "__main__":
    main()
