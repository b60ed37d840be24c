"""Random policies, as text, over the hosts and ports of `traffic`, so that rules meet packets and each other often.

Deterministic by the random generator handed in.  Every keyword of the language that a packet can decide is drawn; what the
kernel cannot express is refused by the renderer by name, and the trial takes those rules out and counts them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.fidelity.gateway import GROUP
from tests.fidelity.traffic import CLIENTS4, CLIENTS6, FEW_PORTS, PORTS, SERVERS4, SERVERS6
from twinwall.policy.diagnostic import Severity
from twinwall.policy.model import Mode
from twinwall.rules.policy_file import read_policy_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

NETWORKS4 = ("10.0.0.0/24", "10.0.0.0/30", "10.1.0.0/16", "10.0.0.0/8", "198.51.100.0/24", "203.0.113.96-203.0.113.120")
NETWORKS6 = ("2001:db8::/48", "2001:db8:1::/48", "2001:db8::/32", "2001:db8:1::2/127")
ACTIONS = ("pass", "pass", "drop", "reject", "alert")
DEFAULTS = (
    "[]",
    "[drop_strict]",
    "[drop_strict, alert_strict]",
    "[drop_established]",
    "[drop_established, alert_established]",
    "[drop_established_app_layer, alert_established_app_layer]",
    "[drop_established_app_layer_to_server, alert_established_app_layer_to_server]",
    "[alert_strict]",
)
PROTOCOLS = ("ip", "ip", "ip4", "ip6", "tcp", "tcp", "tcp", "tcp-pkt", "udp", "udp", "icmp", "icmpv4", "icmpv6", "sctp")
WITH_PORTS = frozenset({"tcp", "tcp-pkt", "udp", "sctp"})
SIDES = ("to_server", "to_client", "from_client", "from_server")
PROGRESS = ("established", "not_established", "stateless")
FLAGS = ("S", "A", "SA", "S,12", "F+", "A+", "R*", "!S", "FSRPAU", "PA", "0", "!A,12", "+S", "*SF")
COMPARISONS = ("{}", "!{}", "<{}", ">{}", "<={}", ">={}")
BITS = ("seen", "web", "late")
# Long timeouts: a machine under load must not make the kernel forget what the replay's clock still knows.
LONG = 86400
TIMEOUTS = (
    "tcp_syn_sent", "tcp_syn_recv", "tcp_established", "tcp_fin_wait", "tcp_close_wait", "tcp_last_ack", "tcp_time_wait",
    "tcp_close", "tcp_max_retrans", "tcp_unacknowledged", "udp", "udp_stream", "udplite", "udplite_stream",
    "icmp", "icmpv6", "sctp_closed", "sctp_cookie_wait", "sctp_cookie_echoed", "sctp_established", "sctp_shutdown_sent",
    "sctp_shutdown_recd", "sctp_shutdown_ack_sent", "sctp_heartbeat_sent", "gre", "gre_stream", "generic",
)  # fmt: skip


@dataclass(frozen=True)
class PolicyText:
    """A policy in parts, so that rules can be taken out one by one."""

    settings: str
    stateless: str
    stateless_rules: tuple[str, ...]
    stateful: str
    stateful_rules: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(
            (
                f"twinwall: 1\n{self.settings}stateless:\n{self.stateless}",
                section(self.stateless_rules),
                f"stateful:\n{self.stateful}",
                section(self.stateful_rules),
            )
        )

    def rules(self) -> list[str]:
        """Every rule of both stages."""
        return [*self.stateless_rules, *self.stateful_rules]

    def keeping(self, kept: frozenset[str]) -> PolicyText:
        """The policy with only those of its rules."""
        return PolicyText(
            self.settings,
            self.stateless,
            tuple(rule for rule in self.stateless_rules if rule in kept),
            self.stateful,
            tuple(rule for rule in self.stateful_rules if rule in kept),
        )


def section(rules: tuple[str, ...]) -> str:
    return "  rules: |\n" + "".join(f"    {rule}\n" for rule in rules) if rules else ""


def policy(rng: Random, mode: Mode = Mode.GATEWAY) -> PolicyText:
    """A policy for a gateway or a bridge."""
    tracking = ", ".join(
        f"{name}: {str(rng.random() < share).lower()}"
        for name, share in (("tcp_loose", 0.8), ("tcp_be_liberal", 0.15), ("tcp_ignore_invalid_rst", 0.15))
    )
    timeouts = ", ".join(f"{name}: {LONG}s" for name in TIMEOUTS)
    settings = (
        f"attach: {{mode: {mode.value}, inside: [in0], outside: [out0], log_group: {GROUP}}}\n"
        f"timeouts: {{{timeouts}}}\n"
        f"tracking: {{{tracking}}}\n"
    )
    strict = rng.random() < 0.6
    stateful = f"  order: {'strict' if strict else 'action'}\n" + (f"  default: {rng.choice(DEFAULTS)}\n" if strict else "")
    stateful += f"  midstream: {rng.choice(['drop', 'continue', 'continue', 'reject'])}\n"
    stateful += f"  invalid: {rng.choice(['drop', 'drop', 'continue'])}\n"
    stateless_count = rng.choice([0, 0, 2, 6, 15])
    count = rng.choice([0, 1, 3, 8, 8, 20, 20, 60, 200])
    return PolicyText(
        settings,
        f"  default: {rng.choice(['forward', 'forward', 'forward', 'forward', 'pass', 'drop'])}\n"
        f"  fragments: {rng.choice(['forward', 'forward', 'pass', 'drop'])}\n",
        tuple(accepted(lambda sid=1000 + number: stateless_rule(rng, sid), "stateless") for number in range(stateless_count)),
        stateful,
        tuple(accepted(lambda sid=1 + number: stateful_rule(rng, sid, strict=strict), "stateful") for number in range(count)),
    )


def another_policy(rng: Random, before: PolicyText, mode: Mode = Mode.GATEWAY) -> PolicyText:
    """What somebody replaces a policy with: a new one, or new settings over some of the old rules and of new ones."""
    new = policy(rng, mode)
    if rng.random() < 0.4:
        return new
    strict = "order: strict" in new.stateful
    kept = [rule for rule in before.stateful_rules if rng.random() < 0.7 and not (strict and "priority:" in rule)]
    rules = [*kept, *(rule.replace("sid:", "sid:9") for rule in new.stateful_rules if rng.random() < 0.5)]
    rng.shuffle(rules)
    return replace(new, stateful_rules=tuple(rules))


def accepted(draw: Callable[[], str], stage: str) -> str:
    """The first rule drawn that the language takes: not `every number satisfies this`, not IPv6 addresses of an IPv4 rule."""
    while True:
        rule = draw()
        _, found = read_policy_text(f"twinwall: 1\n{stage}:\n{section((rule,))}", "rule", lambda name: "")
        if not any(each.severity is Severity.ERROR for each in found):
            return rule


def one_address(rng: Random) -> str:
    """A host or a network of either IP version."""
    if rng.random() < 0.3:
        return rng.choice(CLIENTS6 + SERVERS6 + NETWORKS6 * 2)
    return rng.choice(CLIENTS4 + SERVERS4 + NETWORKS4 * 2)


def addresses(rng: Random) -> str:
    """`any` in half of all cases; one; a list; or a list with exceptions."""
    fate = rng.random()
    if fate < 0.5:
        return "any"
    if fate < 0.75:
        return one_address(rng)
    if fate < 0.85:
        return f"[{', '.join(one_address(rng) for _ in range(rng.choice([2, 3])))}]"
    if fate < 0.95:
        return f"!{one_address(rng)}"
    return f"[{rng.choice(NETWORKS4[3:4])}, !{rng.choice(CLIENTS4 + SERVERS4[:2])}]"


def ports(rng: Random, usual: tuple[int, ...]) -> str:
    """As `addresses`."""
    fate = rng.random()
    if fate < 0.4:
        return "any"
    if fate < 0.65:
        return str(rng.choice(usual))
    if fate < 0.8:
        return rng.choice(["1024:", ":1023", "0:1024", "1025:50000", "80:443"])
    if fate < 0.9:
        return f"[{rng.choice(usual)}, {rng.choice(usual)}]"
    return f"!{rng.choice(usual)}"


def header(rng: Random, protocol: str) -> str:
    """From the action's space to the bracket: protocol, both ends and the arrow."""
    arrow = "<>" if rng.random() < 0.15 else "->"
    if protocol not in WITH_PORTS and rng.random() < 0.95:
        near, far = "any", "any"
    else:
        near, far = ports(rng, FEW_PORTS), ports(rng, PORTS)
    ends = [f"{addresses(rng)} {near}", f"{addresses(rng)} {far}"]
    if rng.random() < 0.2:
        ends.reverse()
    return f"{protocol} {ends[0]} {arrow} {ends[1]}"


def compared(rng: Random, values: tuple[int, ...]) -> str:
    return rng.choice(COMPARISONS).format(rng.choice(values))


def header_keywords(rng: Random, protocol: str) -> list[str]:
    """Keywords of both stages."""
    found = []
    if protocol in ("tcp", "tcp-pkt") and rng.random() < 0.3:
        found.append(f"flags:{rng.choice(FLAGS)};")
    if protocol.startswith("icmp") and rng.random() < 0.5:
        found.append(f"itype:{compared(rng, (0, 3, 8, 11, 128, 129))};")
    if protocol.startswith("icmp") and rng.random() < 0.2:
        found.append(f"icode:{compared(rng, (0, 1, 2))};")
    if protocol == "ip" and rng.random() < 0.2:
        found.append(f"ip_proto:{rng.choice(['!', '', '<', '>'])}{rng.choice(['6', 'udp', 'gre', '132', '50'])};")
    if rng.random() < 0.08:
        found.append(f"interface:{rng.choice(['in0', 'out0', '!in0'])};")
    return found


def packet_keywords(rng: Random, protocol: str) -> list[str]:
    """Keywords of the stateful stage that look at one packet."""
    choices = [
        f"ttl:{compared(rng, (2, 63, 64, 128))};",
        f"dsize:{compared(rng, (1, 10, 12, 100, 1000))};",
        f"dsize:{rng.choice(['1<>20', '9-1001'])};",
    ]
    if protocol not in {"ip6", "icmpv6"}:
        choices += [
            f"tos:{rng.choice(['8', '!0', '184'])};",
            f"id:{rng.randrange(1, 200)};",
            f"ipopts:{rng.choice(['any', 'rr', 'nop', 'ts', 'sec', 'esec', 'satid', 'lsrr', 'eol'])};",
            f"fragbits:{rng.choice(['D', '!D', 'R*', 'DR', 'M', '+D'])};",
            f"fragoffset:{rng.choice(['0', '>0', '<3'])};",
        ]
    if protocol in ("tcp", "tcp-pkt"):
        choices += [
            f"window:{rng.choice(['0', '!20000', '20000'])};",
            f"seq:{rng.choice([0, 1000])};",
            f"ack:{rng.choice([0, 1])};",
        ]
    if protocol.startswith("icmp"):
        choices += [f"icmp_id:{rng.choice([0, 1])};", f"icmp_seq:{rng.choice([0, 1, 2])};"]
    return rng.sample(choices, rng.choice([0, 0, 0, 0, 1, 1, 2])) + (["sameip;"] if rng.random() < 0.02 else [])


def flow_keywords(rng: Random) -> list[str]:
    """`flow` and `flowbits`."""
    found = []
    if rng.random() < 0.35:
        options = [rng.choice(SIDES)] if rng.random() < 0.6 else []
        options += [rng.choice(PROGRESS)] if rng.random() < 0.6 or not options else []
        options += ["no_frag"] if rng.random() < 0.1 else ["only_frag"] if rng.random() < 0.05 else []
        found.append(f"flow:{','.join(options)};")
    if rng.random() < 0.12:
        bit = rng.choice(BITS)
        found.append(
            f"flowbits:{rng.choice([f'set,{bit}', f'set,{bit}', f'isset,{bit}', f'isnotset,{bit}', 'isset,seen|web'])};"
        )
        if rng.random() < 0.05:
            found.append(f"flowbits:{rng.choice(['unset', 'toggle'])},{rng.choice(BITS)};")
    return found


def stateful_rule(rng: Random, sid: int, *, strict: bool) -> str:
    """One rule of the stateful stage."""
    action, protocol = rng.choice(ACTIONS), rng.choice(PROTOCOLS)
    keywords = header_keywords(rng, protocol) if rng.random() < 0.6 else []
    keywords += packet_keywords(rng, protocol) + flow_keywords(rng)
    if rng.random() < 0.15:
        keywords.append("noalert;")
    elif action == "pass" and rng.random() < 0.3:
        keywords.append("alert;")
    if not strict and rng.random() < 0.4:
        keywords.append(f"priority:{rng.choice([1, 2, 4])};")
    return f"{action} {header(rng, protocol)} ({' '.join([*keywords, f'sid:{sid};'])})"


def stateless_rule(rng: Random, sid: int) -> str:
    """One rule of the stateless stage."""
    protocol = rng.choice(PROTOCOLS)
    keywords = header_keywords(rng, protocol) if rng.random() < 0.6 else []
    if rng.random() < 0.15:
        keywords.append(f"fragment:{rng.choice(['no', 'first', 'later', 'any'])};")
    return f"{rng.choice(['pass', 'drop', 'forward'])} {header(rng, protocol)} ({' '.join([*keywords, f'sid:{sid};'])})"
