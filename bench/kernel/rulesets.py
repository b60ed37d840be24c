"""One list of drop rules, in the forms that are compared: a list of addresses and services that may not be reached.

Every rule has a source prefix, a destination, a protocol and a port, so that no form can leave a field out.  `hit(n)` is a
frame that rule n drops; the bench measures rules at the list's beginning, middle and end.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.kernel.frames import UDP, frame

SIZES = (10, 100, 1_000, 10_000)


@dataclass(frozen=True)
class DropRule:
    """`source` is a /28 in 100.64.0.0/10, `destination` one address of 10.2.0.0/16."""

    source: str
    destination: str
    port: int

    def hit(self) -> bytes:
        """A frame that this rule drops, and no other."""
        return frame(self.source.removesuffix("/28"), self.destination, UDP, 40_000, self.port)


def drop_rules(count: int) -> list[DropRule]:
    """The first `count` rules of a list that is always the same."""
    rules = []
    for number in range(count):
        block = (number * 2_654_435_761) & 0x3FFFF  # spread over 100.64.0.0/10 in steps of a /28
        address = 100 << 24 | 64 << 16 | block << 4
        source = ".".join(str(address >> shift & 0xFF) for shift in (24, 16, 8, 0))
        rules.append(DropRule(f"{source}/28", f"10.2.{number // 250 % 256}.{number % 250 + 1}", 1_000 + number % 50_000))
    return rules


def policy(rules: list[DropRule]) -> str:
    """As twinwall's stateless stage."""
    lines = "\n".join(
        f"    drop udp {rule.source} any -> {rule.destination} {rule.port} (sid:{number + 1};)"
        for number, rule in enumerate(rules)
    )
    return f"twinwall: 1\nstateless:\n  default: forward\n  rules: |\n{lines}\n"


def nft_lines(rules: list[DropRule], interface: str) -> str:
    """As one nftables rule each, at the earliest hook."""
    lines = "\n".join(
        f"  ip saddr {rule.source} ip daddr {rule.destination} udp dport {rule.port} counter drop" for rule in rules
    )
    return _ingress(interface, "", lines)


def nft_sets(rules: list[DropRule], interface: str) -> str:
    """As one set of concatenations with intervals, at the earliest hook."""
    elements = ",\n".join(f"{rule.source} . {rule.destination} . {rule.port}" for rule in rules)
    block = (
        " set blocked {\n  type ipv4_addr . ipv4_addr . inet_service\n  flags interval\n  counter\n"
        f"  elements = {{ {elements} }}\n }}\n"
    )
    return _ingress(interface, block, "  ip saddr . ip daddr . udp dport @blocked drop")


def _ingress(interface: str, block: str, lines: str) -> str:
    head = f" chain ingress {{\n  type filter hook ingress device {interface} priority 0\n"
    return f"table netdev bench {{\n{block}{head}{lines}\n }}\n}}\n"


def iptables(rules: list[DropRule]) -> str:
    """As iptables' raw table, which is its earliest hook."""
    lines = "\n".join(
        f"-A PREROUTING -s {rule.source} -d {rule.destination} -p udp --dport {rule.port} -j DROP" for rule in rules
    )
    return f"*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{lines}\nCOMMIT\n"
