"""The kernel oracle: what Linux's connection tracker says about a packet.

Two network namespaces: a router with forwarding on, and an outside that holds the far end of the router's two links.  A packet
is written to one link, labelled in the router by an nftables rule that stores `ct state` and `ct direction` in the DSCP field,
and read from the other link.  The tracker does not look at interfaces, so both directions of a conversation go in at the same
side.  Packets that the router's routing refuses (martians, TTL 1, bad IP headers) do not come out: the answer is None.  Each
packet is followed by a marker, which the tracker does not see: when that has come out, nothing else will.

Each namespace is held by a process that ends when its standard input closes, so nothing is left behind even if the test
process is killed.  Needs root, and the programs nft, ip, conntrack, unshare and nsenter.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import select
import shutil
import socket
import struct
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

PROGRAMS = ("nft", "ip", "conntrack", "unshare", "nsenter")
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
INSIDE_MAC, NEXT_HOP_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
MARKER_PORT = 9
PATIENCE = 10  # seconds after which the router is broken: the marker always comes out

SETUP = """
ip link set lo up
ip link set in0 address {inside} mtu 65535 up
ip link set out0 mtu 65535 up
ip addr add 169.254.77.1/30 dev out0
ip route add default via 169.254.77.2 dev out0
ip neigh add 169.254.77.2 lladdr {hop} dev out0 nud permanent
ip -6 addr add fe80::77:1/64 dev out0 nodad
ip -6 route add default via fe80::77:2 dev out0
ip -6 neigh add fe80::77:2 lladdr {hop} dev out0 nud permanent
"""

SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "net.ipv6.conf.all.forwarding": 1,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv4.conf.default.accept_local": 1,
    "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.router_solicitations": 0,
}

RULES = """
table inet oracle {{
  chain early {{
    type filter hook prerouting priority -300; policy accept;
    ip saddr 192.0.2.1 ip daddr 192.0.2.2 udp dport {port} notrack
  }}
  chain label {{
    type filter hook prerouting priority -150; policy accept;
{lines}
  }}
}}
"""

LABELS = {
    1: ("NEW", "original"),
    2: ("ESTABLISHED", "original"),
    3: ("ESTABLISHED", "reply"),
    4: ("RELATED", "original"),
    5: ("RELATED", "reply"),
    6: ("INVALID", ""),
    7: ("UNTRACKED", ""),
}
CONDITIONS = {
    7: "ct state untracked",
    6: "ct state invalid",
    1: "ct state new",
    2: "ct state established ct direction original",
    3: "ct state established ct direction reply",
    4: "ct state related ct direction original",
    5: "ct state related ct direction reply",
}


class Label(NamedTuple):
    """The tracker's label, and the direction ("original", "reply", or empty where there is no entry)."""

    state: str
    direction: str


class Listed(NamedTuple):
    """One line of `conntrack -L`: `state` is empty for protocols without states."""

    protocol: str
    seconds: int
    state: str
    assured: bool
    unreplied: bool


def why_unavailable() -> str:
    """Why there is no oracle here; empty if there is one."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"needs the programs {', '.join(missing)}"
    probe = subprocess.run(["unshare", "--net", "nft", "add", "table", "inet", "probe"], capture_output=True, check=False)
    if probe.returncode != 0:
        return f"nftables does not work in a network namespace: {probe.stderr.decode().strip()}"
    return ""


class Namespace:
    """A network namespace that lives as long as this object, and no longer than this process."""

    def __init__(self) -> None:
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        # `cat` answers once the namespace exists.
        self.holder.stdin.write(b"\n")
        self.holder.stdin.flush()
        self.holder.stdout.readline()
        self.path = f"/proc/{self.holder.pid}/ns/net"

    def run(self, *command: str, text: str = "") -> str:
        """Run a program in the namespace; its standard output."""
        done = subprocess.run(
            ["nsenter", f"--net={self.path}", *command], input=text, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Move the calling thread into the namespace: sockets made here stay there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open(self.path) as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(home.fileno(), CLONE_NEWNET)

    def close(self) -> None:
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()


class KernelOracle:
    """Linux as the judge.  A context manager; `label` takes IP packets, in the order of the conversation."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._count = 0
        self.remark = 0  # what a test's own rules added to the last packet's DSCP field, in units of 8

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.router = Namespace()
            stack.callback(self.router.close)
            outside = Namespace()
            stack.callback(outside.close)
            for name, far in (("in0", "near"), ("out0", "far")):
                self.router.run(
                    "ip", "link", "add", name, "type", "veth", "peer", "name", far, "netns", str(outside.holder.pid)
                )
            for name, value in SYSCTLS.items():
                self.sysctl(name, value)
            for name in ("near", "far"):
                outside.run("ip", "link", "set", name, "addrgenmode", "none")
                outside.run("ip", "link", "set", name, "mtu", "65535", "up")
            self.router.run("ip", "link", "set", "in0", "addrgenmode", "none")
            self.router.run("ip", "link", "set", "out0", "addrgenmode", "none")
            for line in SETUP.format(inside=INSIDE_MAC, hop=NEXT_HOP_MAC).strip().splitlines():
                self.router.run(*line.split())
            for name in ("in0", "out0"):
                self.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
            self.sysctl("net.netfilter.nf_conntrack_checksum", 0)
            self.router.run("nft", "-f", "-", text=rules())
            with outside.entered():
                self._near = stack.enter_context(packet_socket("near"))
                self._far = stack.enter_context(packet_socket("far"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def sysctl(self, name: str, value: int) -> None:
        """Set a sysctl of the router."""
        path = "/proc/sys/" + name.replace(".", "/")
        self.router.run("sh", "-c", f"echo {value} > {path}")

    def read_sysctl(self, name: str) -> int:
        """The value of a sysctl of the router."""
        return int(self.router.run("cat", "/proc/sys/" + name.replace(".", "/")))

    def flush(self) -> None:
        """Forget all connections."""
        self.router.run("conntrack", "-F")

    def label(self, packet: bytes) -> Label | None:
        """What the tracker calls this IP packet; None if it did not come out."""
        version = packet[0] >> 4
        link = bytes.fromhex(INSIDE_MAC.replace(":", "")) + b"\x02\0\0\0\0\x09" + (b"\x08\0" if version == 4 else b"\x86\xdd")
        frame = link + packet
        addresses = slice(26, 34) if version == 4 else slice(22, 54)
        self._count += 1
        self._near.send(frame)
        self._near.send(marker(self._count))
        answer = None
        while select.select([self._far], [], [], PATIENCE)[0]:
            seen = self._far.recv(65600)
            if seen[26:38] == MARKER_ADDRESSES + MARKER_PORTS and seen[42:50] == self._count.to_bytes(8, "big"):
                return answer
            if seen[12:14] == frame[12:14] and seen[addresses] == frame[addresses]:
                field = seen[15] if version == 4 else struct.unpack_from("!H", seen, 14)[0] >> 4 & 0xFF
                self.remark = field >> 5
                answer = Label(*LABELS[field >> 2 & 7]) if field >> 2 & 7 in LABELS else answer
        raise RuntimeError("the router lost the marker")

    def listed(self) -> list[Listed]:
        """The connections the kernel knows now."""
        lines = self.router.run("conntrack", "-L", "-f", "ipv4") + self.router.run("conntrack", "-L", "-f", "ipv6")
        return [parsed for line in lines.splitlines() if (parsed := parse_listed(line)) is not None]


MARKER_ADDRESSES = bytes([192, 0, 2, 1, 192, 0, 2, 2])
MARKER_PORTS = struct.pack("!HH", MARKER_PORT, MARKER_PORT)


def marker(count: int) -> bytes:
    """The frame that says that everything sent before has come out."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 36, 0, 0, 64, 17, 0) + MARKER_ADDRESSES
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", total ^ 0xFFFF) + head[12:]
    link = bytes.fromhex(INSIDE_MAC.replace(":", "")) + b"\x02\0\0\0\0\x09\x08\0"
    return link + head + MARKER_PORTS + struct.pack("!HH", 16, 0) + count.to_bytes(8, "big")


def rules() -> str:
    """The nftables rules that write the label into the packet."""
    lines = [
        f"    {condition} meta nfproto {family} {field} dscp set {value} accept"
        for value, condition in CONDITIONS.items()
        for family, field in (("ipv4", "ip"), ("ipv6", "ip6"))
    ]
    return RULES.format(port=MARKER_PORT, lines="\n".join(lines))


def packet_socket(name: str) -> socket.socket:
    """A raw socket on a link of the current namespace."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    raw.bind((name, ETH_P_ALL))
    raw.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
    return raw


LINE = re.compile(r"^(?P<protocol>\S+)\s+\d+\s+(?P<seconds>\d+)\s+(?:(?P<state>[A-Z_0-9]+)\s+)?src=")


def parse_listed(line: str) -> Listed | None:
    """One line of `conntrack -L`, or None for a line of another kind."""
    match = LINE.match(line)
    if match is None:
        return None
    return Listed(match["protocol"], int(match["seconds"]), match["state"] or "", "[ASSURED]" in line, "[UNREPLIED]" in line)
