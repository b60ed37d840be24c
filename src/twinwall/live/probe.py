"""What this machine can do for a policy: each ability with the answer, what was seen, and what happens without it.

Nothing here changes anything: what can only be found out by making it is made in a network namespace of its own, which ends
with the program that made it.  Where no such namespace may be made, the answer is `UNKNOWN`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from twinwall.live import nft, sysctl
from twinwall.live.bpf import BpfError
from twinwall.live.bpf_maps import PercpuArray
from twinwall.live.bpf_programs import tcx_programs
from twinwall.live.error import EnforcementError
from twinwall.live.links import Link, links
from twinwall.live.queue_rule import target_works
from twinwall.live.xdp_features import native_xdp


class Answer(StrEnum):
    """Whether the machine can."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer and what it rests on."""

    answer: Answer
    seen: str


@dataclass(frozen=True, slots=True)
class Ability:
    """One thing that enforcement may need.  `otherwise`: what happens without it, or what to do to get it."""

    name: str
    answer: Answer
    seen: str
    otherwise: str


Question = Callable[[], Finding]

CAP_NET_ADMIN, CAP_BPF, CAP_SYS_ADMIN = 12, 39, 21
OLDEST_NFT = ".".join(map(str, nft.OLDEST))


def probe() -> tuple[Ability, ...]:
    """Ask everything about the machine.  Raises nothing: what cannot be asked is `UNKNOWN`."""
    return tuple(_asked(name, question, otherwise) for name, question, otherwise in QUESTIONS)


def probe_interfaces(names: Iterable[str]) -> tuple[Ability, ...]:
    """Whether XDP can run on each of these interfaces."""
    try:
        there = {each.name: each for each in links()}
    except EnforcementError as error:
        return tuple(Ability(f"XDP on {name}", Answer.UNKNOWN, error.cause, error.remedy) for name in names)
    return tuple(_interface(name, there.get(name)) for name in names)


def _asked(name: str, question: Question, otherwise: str) -> Ability:
    try:
        found = question()
    except EnforcementError as error:
        found = Finding(Answer.UNKNOWN, error.cause)
    return Ability(name, found.answer, found.seen, "" if found.answer is Answer.YES else otherwise)


def _interface(name: str, link: Link | None) -> Ability:
    title = f"XDP on {name}"
    if link is None:
        return Ability(title, Answer.NO, "there is no such interface", "create it; until then its packets are dropped")
    if not link.has_ethernet_header:
        seen = f"{link.kind or 'its link type'} has no Ethernet header"
        return Ability(title, Answer.NO, seen, "the stateless stage runs as an nftables chain")
    try:
        native = native_xdp(link.index)
    except EnforcementError as error:
        return Ability(title, Answer.UNKNOWN, error.cause, error.remedy)
    if native:
        return Ability(title, Answer.YES, "in the driver", "")
    if native is None:
        return Ability(
            title, Answer.UNKNOWN, "this kernel does not say what its drivers can", "attaching tries native, then generic"
        )
    return Ability(title, Answer.YES, "generic: the driver has no XDP", "generic XDP works, at several times the cost")


def _nft() -> Finding:
    version = nft.version()
    seen = ".".join(map(str, version))
    return Finding(Answer.YES if version >= nft.OLDEST else Answer.NO, seen)


def _ruleset(text: str) -> Question:
    """Whether nft and the kernel take a ruleset, in a namespace of its own."""

    def ask() -> Finding:
        done = _in_own_namespace(["nft", "-f", "-"], text)
        if done.returncode == 0:
            return Finding(Answer.YES, "")
        return Finding(Answer.NO, nft.refusal("try a ruleset", done.stderr, text).cause)

    return ask


def _in_own_namespace(command: list[str], text: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a new network namespace, which nobody else sees and which ends with it."""
    for way in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        try:
            if subprocess.run([*way, "true"], capture_output=True, check=False).returncode == 0:
                return subprocess.run([*way, *command], input=text, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise EnforcementError("try a ruleset", "the program unshare is not installed", "install util-linux") from error
    raise EnforcementError("try a ruleset", "no network namespace may be made here", "run as root")


def _queue_target() -> Finding:
    works = target_works()
    return Finding(Answer.YES if works else Answer.NO, "" if works else "the kernel has no xt_NFQUEUE for nftables")


def _setting(name: str) -> Question:
    """Whether the kernel has a setting."""

    def ask() -> Finding:
        value = sysctl.read(name)
        return Finding(Answer.NO, f"no {name}") if value is None else Finding(Answer.YES, f"{name} = {value}")

    return ask


def _bpf() -> Finding:
    try:
        with PercpuArray.make(8, 1, "probe"):
            return Finding(Answer.YES, "")
    except BpfError as error:
        return Finding(Answer.NO, error.cause)


def _tcx() -> Finding:
    """Ask what is attached to the loopback interface: kernels without TCX do not know the question."""
    try:
        tcx_programs(next(each.index for each in links() if each.name == "lo"))
    except BpfError as error:
        return Finding(Answer.NO, error.cause)
    except StopIteration:
        return Finding(Answer.UNKNOWN, "there is no loopback interface")
    return Finding(Answer.YES, "")


def _capability(number: int) -> Question:
    def ask() -> Finding:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        held = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
        return Finding(Answer.YES if held >> number & 1 else Answer.NO, f"user {os.geteuid()}")

    return ask


def _ipv6() -> Finding:
    value = sysctl.read("net.ipv6.conf.all.disable_ipv6")
    if value is None:
        return Finding(Answer.NO, "the kernel has no IPv6")
    return Finding(Answer.YES if value == "0" else Answer.NO, f"net.ipv6.conf.all.disable_ipv6 = {value}")


NETDEV = """table netdev probe {
\tchain c { type filter hook ingress devices = { "lo" } priority 0; policy accept; }
}
"""
QUEUE = """table inet probe {
\tchain c { type filter hook forward priority 1; queue num 0-1 fanout,bypass; }
}
"""
BRIDGE = """table bridge probe {
\tchain c { type filter hook forward priority 0; ct state new accept; }
}
"""

WITHOUT_XDP = "the stateless stage runs as an nftables netdev chain"
ROOT = "run as root, or give the program the capability"

QUESTIONS: tuple[tuple[str, Question, str], ...] = (
    ("privilege CAP_NET_ADMIN", _capability(CAP_NET_ADMIN), ROOT),
    ("privilege CAP_BPF", _capability(CAP_BPF), WITHOUT_XDP),
    (f"nft {OLDEST_NFT} or newer", _nft, "install nftables: nothing can be enforced without it"),
    ("nftables netdev chains", _ruleset(NETDEV), "the stateless stage needs XDP on every interface"),
    ("eBPF", _bpf, WITHOUT_XDP),
    ("TCX", _tcx, f"Linux 6.6 has it; {WITHOUT_XDP}"),
    ("nftables queue statement", _ruleset(QUEUE), "packets reach the inspector through the xtables target NFQUEUE"),
    ("NFQUEUE target", _queue_target, "only needed without nft's queue statement; without both, `inspect` rules are refused"),
    ("connection tracking", _setting("net.netfilter.nf_conntrack_max"), "load the module nf_conntrack"),
    ("connection counters", _setting("net.netfilter.nf_conntrack_acct"), "flow records do not count packets and bytes"),
    ("connection start times", _setting("net.netfilter.nf_conntrack_timestamp"), "flow records do not say when a flow began"),
    ("connection events", _setting("net.netfilter.nf_conntrack_events"), "`log` has no flow records"),
    ("tracking on a bridge (nf_conntrack_bridge)", _ruleset(BRIDGE), "bridge mode goes through br_netfilter"),
    (
        "bridged packets in the IP layer (br_netfilter)",
        _setting("net.bridge.bridge-nf-call-iptables"),
        "bridge mode is refused",
    ),
    ("IPv6", _ipv6, "IPv6 packets are judged as ever, but this machine does not forward any"),
)
