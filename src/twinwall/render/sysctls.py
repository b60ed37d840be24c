"""The policy's tracking settings as kernel settings: which, what value, and why.  Data; `live.sysctl` writes it.

All timeouts are set, also those that the policy leaves at their defaults: the replay counts with them, and distributions change
them.  What Linux has no setting for is refused by name, unless the policy leaves it as Linux does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twinwall.policy.model import FOLLOWED, Flows, Mode, Overlap, Policy, Timeout, Tracking
from twinwall.render.unsupported import Unsupported

CONNTRACK = "net.netfilter.nf_conntrack_"

# Where a timeout's setting is not `nf_conntrack_[tcp_]timeout_*` by its name: the four kinds of spelling, and the odd ones.
PROTOCOLS = ("tcp", "sctp")  # nf_conntrack_tcp_timeout_syn_sent
STREAMS = ("udp_stream", "gre_stream")  # nf_conntrack_udp_timeout_stream
ELSEWHERE = {Timeout.FRAGMENT_V4: "net.ipv4.ipfrag_time", Timeout.FRAGMENT_V6: f"{CONNTRACK}frag6_timeout"}

# A kernel that has been built without IPv6 has neither these timeouts nor anything that they are about.
OF_IPV6 = (Timeout.ICMPV6, Timeout.FRAGMENT_V6)

# Timeouts that Linux has, but no setting for.
FIXED = {Timeout.TCP_SYN_SENT2: "it is always 120 s"}

LONGEST = 2_147_483  # seconds: the kernel counts in ticks, 31 bits of them, at most 1,000 a second
MOST_RETRANSMISSIONS = 255
MOST_CONNECTIONS = 2_147_483_647


@dataclass(frozen=True, slots=True)
class Setting:
    """One kernel setting.  Without `required` the policy's meaning does not depend on it, and a kernel without it will do."""

    name: str
    value: str
    why: str
    required: bool = True


def render_sysctls(policy: Policy) -> tuple[Setting, ...]:
    """The settings that make Linux's tracker behave as the policy (and so the replay) says."""
    return (*_tracker(policy.tracking), *_timeouts(policy.tracking), *_records(), *_bridge(policy), *_host(policy))


def _tracker(tracking: Tracking) -> Iterator[Setting]:
    yield Setting(f"{CONNTRACK}tcp_loose", _flag(tracking.tcp_loose), "tracking.tcp_loose")
    yield Setting(f"{CONNTRACK}tcp_be_liberal", _flag(tracking.tcp_be_liberal), "tracking.tcp_be_liberal")
    yield Setting(
        f"{CONNTRACK}tcp_ignore_invalid_rst", _flag(tracking.tcp_ignore_invalid_rst), "tracking.tcp_ignore_invalid_rst"
    )
    yield Setting(f"{CONNTRACK}tcp_max_retrans", str(tracking.tcp_max_retrans), "tracking.tcp_max_retrans")
    # One bound for all network namespaces: elsewhere than in the machine's own it cannot be set.
    yield Setting(f"{CONNTRACK}max", str(tracking.connections), "tracking.connections", required=False)


def _timeouts(tracking: Tracking) -> Iterator[Setting]:
    for timeout in Timeout:
        if timeout not in FIXED and timeout not in FOLLOWED:
            seconds, why = str(int(tracking.seconds(timeout))), f"timeouts.{timeout.value[0]}"
            yield Setting(sysctl_of(timeout), seconds, why, required=timeout not in OF_IPV6)


def _records() -> Iterator[Setting]:
    yield Setting(f"{CONNTRACK}acct", "1", "flow records count packets and bytes", required=False)
    yield Setting(f"{CONNTRACK}timestamp", "1", "flow records say when a flow began", required=False)
    # 2, Linux's default, tells whoever listens of those connections only that began while somebody listened already.
    yield Setting(f"{CONNTRACK}events", "1", "`twinwall log` hears of the end of every connection", required=False)


def _bridge(policy: Policy) -> Iterator[Setting]:
    """A bridge's packets reach the ruleset of the IP layer, those in a VLAN included; PPPoE is not IP for any of the stages."""
    if policy.attach is not None and policy.attach.mode is Mode.BRIDGE:
        for name in ("call-iptables", "call-ip6tables", "filter-vlan-tagged"):
            yield Setting(f"net.bridge.bridge-nf-{name}", "1", "attach.mode: bridge")
        yield Setting("net.bridge.bridge-nf-filter-pppoe-tagged", "0", "attach.mode: bridge")


def _host(policy: Policy) -> Iterator[Setting]:
    """The answer of a reject is known by the mark of the packet that it answers (`marks.REJECTED`)."""
    if policy.attach is not None and policy.attach.mode is Mode.HOST:
        yield Setting("net.ipv4.fwmark_reflect", "1", "attach.mode: host")
        yield Setting("net.ipv6.fwmark_reflect", "1", "attach.mode: host", required=False)  # IPv6 may be absent


def sysctl_of(timeout: Timeout) -> str:
    """The kernel setting of a timeout."""
    name: str = timeout.value[0]
    protocol, _, rest = name.partition("_")
    if timeout in ELSEWHERE:
        return ELSEWHERE[timeout]
    if protocol in PROTOCOLS or name in STREAMS:
        return f"{CONNTRACK}{protocol}_timeout_{rest}"
    return f"{CONNTRACK}{name}_timeout"


def _flag(value: bool) -> str:
    return "1" if value else "0"


def unsupported_tracking(policy: Policy) -> tuple[Unsupported, ...]:
    """What the policy asks of the tracker and Linux has no setting for."""
    return (*_unsupported_ways(policy), *_unsupported_numbers(policy.tracking), *_unsupported_timeouts(policy.tracking))


def _unsupported_ways(policy: Policy) -> Iterator[Unsupported]:
    tracking = policy.tracking
    if tracking.flows is Flows.RULES:
        yield Unsupported(
            "tracking.flows: rules keeps flows that Linux forgets, such as one whose first packet was dropped",
            "write flows: linux (the default of a policy with attach), and replay does as the kernel does",
        )
    if tracking.overlap is not Overlap.DISCARD:
        yield Unsupported(
            f"tracking.overlap: {tracking.overlap.value}; Linux discards datagrams whose fragments overlap",
            "write overlap: discard, or leave it out",
        )
    if tracking.datagrams != Tracking().datagrams:
        yield Unsupported(
            "tracking.datagrams: Linux bounds the datagrams under reassembly by memory, not by number",
            "leave it out, and set net.ipv4.ipfrag_high_thresh and net.netfilter.nf_conntrack_frag6_high_thresh by hand",
        )


def _unsupported_numbers(tracking: Tracking) -> Iterator[Unsupported]:
    if tracking.tcp_max_retrans > MOST_RETRANSMISSIONS:
        yield Unsupported(
            f"tracking.tcp_max_retrans: {tracking.tcp_max_retrans} is more than Linux counts", f"at most {MOST_RETRANSMISSIONS}"
        )
    if tracking.connections > MOST_CONNECTIONS:
        yield Unsupported(
            f"tracking.connections: {tracking.connections:,} is more than Linux counts", f"at most {MOST_CONNECTIONS:,}"
        )


def _unsupported_timeouts(tracking: Tracking) -> Iterator[Unsupported]:
    for timeout in Timeout:
        name, default = timeout.value
        seconds = tracking.seconds(timeout)
        if timeout in FIXED and seconds != default:
            yield Unsupported(f"timeouts.{name}: Linux has no setting for it; {FIXED[timeout]}", "leave it out")
        elif timeout in FOLLOWED and seconds != tracking.seconds(FOLLOWED[timeout]):
            other = FOLLOWED[timeout].value[0]
            yield Unsupported(
                f"timeouts.{name}: Linux has one timeout for it and {other}", f"leave it out, and it is as {other}"
            )
        elif seconds != int(seconds):
            yield Unsupported(f"timeouts.{name}: {seconds} s; Linux counts whole seconds", "write a whole number of seconds")
        elif seconds > LONGEST:
            yield Unsupported(f"timeouts.{name}: {seconds:,.0f} s is longer than Linux counts", f"at most {LONGEST:,} s")
