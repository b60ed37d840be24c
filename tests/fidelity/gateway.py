"""A gateway in a network namespace, with one link to the inside, one to the outside, and a witness for every packet.

    near ── in0 [gateway] out0 ── far        mark ── mark0

The far ends of the links are packet sockets.  What happens to a packet in the gateway is told by NFLOG messages, all of one
group, so that they come in the order in which things happened:

- `forward -1`, before twinwall's stage: the tracker's label and direction;
- twinwall's own witness (`RenderOptions.witness`) for the final verdict, and its log statements, which go to the same group;
- `output`: packets that the gateway itself sends, that is, the answers of a reject;
- `mark0`, on which a window of packets ends: when the marker's message is read, nothing else will come.

A veth's packets are handled inside the system call that sends them, so packets are judged one after the other in the order in
which they were sent, as long as one processor sends them; the sender pins itself, and the order of messages proves it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from typing import TYPE_CHECKING

from tests.oracle.kernel import Namespace, packet_socket
from twinwall.live.nflog import LoggedPacket, LogGroup
from twinwall.policy.model import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

GROUP = 77  # of every message
IN, OUT = "in0", "out0"
MTU = 3000  # the largest round number that native XDP takes on a veth
GATEWAY_MACS = {IN: "02:00:00:00:00:01", OUT: "02:00:00:00:00:02"}
PEER_MACS = {IN: "02:00:00:00:01:01", OUT: "02:00:00:00:01:02"}
INSIDE4, INSIDE6 = "10.0.0.0/16", "2001:db8::/48"
COPIED = 64  # bytes of a packet in a message
GATHER = 1  # hundredths of a second
RECEIVE_BUFFER = 256 << 20
MOST_POLLS = 10_000
PATIENCE = 20  # seconds after which something is broken: the marker's message always comes
SO_RCVBUFFORCE = 33

LINKS = f"""
link set lo up
link set in0 addrgenmode none address {GATEWAY_MACS[IN]} mtu {MTU} up
link set out0 addrgenmode none address {GATEWAY_MACS[OUT]} mtu {MTU} up
link set mark0 addrgenmode none up
addr add 169.254.77.1/30 dev out0
addr add 169.254.78.1/30 dev in0
route add {INSIDE4} via 169.254.78.2 dev in0
route add default via 169.254.77.2 dev out0
neigh add 169.254.77.2 lladdr {PEER_MACS[OUT]} dev out0 nud permanent
neigh add 169.254.78.2 lladdr {PEER_MACS[IN]} dev in0 nud permanent
addr add fe80::77:1/64 dev out0 nodad
addr add fe80::78:1/64 dev in0 nodad
route add {INSIDE6} via fe80::78:2 dev in0
route add ::/0 via fe80::77:2 dev out0
neigh add fe80::77:2 lladdr {PEER_MACS[OUT]} dev out0 nud permanent
neigh add fe80::78:2 lladdr {PEER_MACS[IN]} dev in0 nud permanent
"""

BRIDGE = f"""
link set lo up
link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
link set in0 addrgenmode none mtu {MTU} master br0 up
link set out0 addrgenmode none mtu {MTU} master br0 up
link set br0 addrgenmode none address 02:00:00:00:00:03 mtu {MTU} up
link set mark0 addrgenmode none up
addr add 169.254.77.1/24 dev br0
route add {INSIDE4} via 169.254.77.2 dev br0
route add default via 169.254.77.3 dev br0
neigh add 169.254.77.2 lladdr {PEER_MACS[IN]} dev br0 nud permanent
neigh add 169.254.77.3 lladdr {PEER_MACS[OUT]} dev br0 nud permanent
addr add fe80::77:1/64 dev br0 nodad
route add {INSIDE6} via fe80::77:2 dev br0
route add ::/0 via fe80::77:3 dev br0
neigh add fe80::77:2 lladdr {PEER_MACS[IN]} dev br0 nud permanent
neigh add fe80::77:3 lladdr {PEER_MACS[OUT]} dev br0 nud permanent
"""
STATIC = f"fdb add {PEER_MACS[IN]} dev in0 master static\nfdb add {PEER_MACS[OUT]} dev out0 master static\n"

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
    # A reject's answers come out, however many there are.
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv4.icmp_ratemask": 0,
    "net.ipv4.icmp_msgs_per_sec": 10_000_000,
    "net.ipv4.icmp_msgs_burst": 10_000_000,
    "net.ipv6.icmp.ratelimit": 0,
    "net.ipv6.auto_flowlabels": 0,
    # Pieces of a datagram may stand far from each other.
    "net.ipv4.ipfrag_max_dist": 0,
}
LATE_SYSCTLS = {
    "net.netfilter.nf_conntrack_checksum": 0,
}

LABELS = {
    "untracked": "ct state untracked",
    "invalid": "ct state invalid",
    "new original": "ct state new",
    "established original": "ct state established ct direction original",
    "established reply": "ct state established ct direction reply",
    "related original": "ct state related ct direction original",
    "related reply": "ct state related ct direction reply",
}
MARKER, ANSWER, LABEL = "marker", "answer", "ct "
ANSWER_HOPS = 77  # TTL of what the gateway itself sends; no packet of the traffic leaves with it

RULES = """
table inet harness {{
  chain marker {{
    type filter hook prerouting priority -500; policy accept;
    iifname "mark0" log group {group} snaplen 64 prefix "{marker}" drop
  }}
  chain label {{
    type filter hook forward priority -1; policy accept;
{labels}
  }}
  chain answers {{
    type filter hook output priority 300; policy accept;
    icmpv6 type {{ 130-137, 143 }} accept comment "what any IPv6 host says of itself"
    ip ttl set {hops}
    ip6 hoplimit set {hops}
    log group {group} snaplen 64 prefix "{answer}"
  }}
}}
"""


def rules() -> str:
    """The harness's own nftables table."""
    labels = "\n".join(
        f'    {condition} log group {GROUP} snaplen 64 prefix "{LABEL}{name}" accept' for name, condition in LABELS.items()
    )
    return RULES.format(group=GROUP, marker=MARKER, answer=ANSWER, hops=ANSWER_HOPS, labels=labels)


class Gateway:
    """A context manager.  `send` takes frames with the link they arrive on, and gives messages and frames that came out."""

    def __init__(self, mode: Mode = Mode.GATEWAY) -> None:
        """`mode`: a router, or a bridge between the two links."""
        self.mode = mode
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.router = Namespace()
            stack.callback(self.router.close)
            self.outside = Namespace()
            stack.callback(self.outside.close)
            self._wire()
            with self.outside.entered():
                self._sockets = {
                    IN: stack.enter_context(packet_socket("near")),
                    OUT: stack.enter_context(packet_socket("far")),
                    "mark0": stack.enter_context(packet_socket("mark")),
                }
            for each in self._sockets.values():
                each.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
                each.setblocking(False)
            with self.router.entered():
                self._log = stack.enter_context(LogGroup(GROUP, copy=COPIED, buffer=RECEIVE_BUFFER, gather=GATHER))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _wire(self) -> None:
        far = str(self.outside.holder.pid)
        pairs = {IN: "near", OUT: "far", "mark0": "mark"}
        add = "\n".join(f"link add {name} type veth peer name {peer} netns {far}" for name, peer in pairs.items())
        self.set(SYSCTLS)
        self.router.run("ip", "-batch", "-", text=add)
        self.outside.run(
            "ip", "-batch", "-", text="\n".join(f"link set {peer} addrgenmode none mtu {MTU} up" for peer in pairs.values())
        )
        self.router.run("ip", "-batch", "-", text=BRIDGE if self.mode is Mode.BRIDGE else LINKS)
        if self.mode is Mode.BRIDGE:
            self.router.run("bridge", "-batch", "-", text=STATIC)
            self._until_forwarding()
        self.router.run("nft", "-f", "-", text=rules())
        self.set(LATE_SYSCTLS)

    def _until_forwarding(self) -> None:
        """A bridge's ports start when the kernel has heard that their links are up."""
        for _ in range(MOST_POLLS):
            if self.router.run("bridge", "link").count("state forwarding") == len(GATEWAY_MACS):
                return
        raise RuntimeError("the bridge's ports do not start")

    def set(self, values: dict[str, int]) -> None:
        """Set sysctls of the gateway."""
        lines = (f"echo {value} > /proc/sys/{name.replace('.', '/')}" for name, value in values.items())
        self.router.run("sh", "-ec", "\n".join(lines))

    def no_gro(self) -> None:
        """Keep segments apart: a veth with an XDP program begins to put those that wait together into one."""
        for link in (IN, OUT):
            self.router.run("ethtool", "-K", link, "gro", "off")

    def send(self, frames: Sequence[tuple[str, bytes]]) -> tuple[list[LoggedPacket], dict[str, list[bytes]]]:
        """Send (link, frame) in order; every NFLOG message, and the frames that came out by the link they left through."""
        with one_processor():
            for link, frame in frames:
                self._sockets[link].send(self._addressed(link, frame))
            self._sockets["mark0"].send(MARKER_FRAME)
        return self._messages(), {link: list(drain(self._sockets[link])) for link in (IN, OUT)}

    def put(self, link: str, frame: bytes) -> None:
        """Send one frame."""
        self._sockets[link].send(self._addressed(link, frame))

    def taken(self, patience: float = 0.0) -> Iterator[tuple[str, bytes]]:
        """The frames that have come out; waits for the first."""
        links = {self._sockets[link]: link for link in (IN, OUT)}
        ready, _, _ = select.select(list(links), [], [], patience)
        for each in ready:
            for frame in drain(each):
                yield links[each], frame

    def _addressed(self, link: str, frame: bytes) -> bytes:
        """A bridge's frames are addressed to the other side's host."""
        return mac(PEER_MACS[OUT if link == IN else IN]) + frame[6:] if self.mode is Mode.BRIDGE else frame

    def _messages(self) -> list[LoggedPacket]:
        """Every message up to the marker's."""
        messages: list[LoggedPacket] = []
        while not messages or messages[-1].prefix != MARKER:
            logged = self._log.receive(PATIENCE)
            if logged.lost or not logged.packets:
                raise RuntimeError(f"{logged.lost} messages were lost" if logged.lost else "the gateway lost the marker")
            messages += logged.packets
        return messages[:-1]


@contextlib.contextmanager
def one_processor() -> Iterator[None]:
    """Stay on one processor: the packets of several links then keep their order."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def drain(link: socket.socket) -> Iterator[bytes]:
    """What waits in a socket."""
    while True:
        try:
            yield link.recv(65600)
        except BlockingIOError:
            return


def ethernet(link: str, packet: bytes) -> bytes:
    """An IP packet as a frame that arrives on `link`."""
    kind = b"\x86\xdd" if packet[:1] and packet[0] >> 4 == 6 else b"\x08\0"
    return mac(GATEWAY_MACS[link]) + mac(PEER_MACS[link]) + kind + packet


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


MARKER_FRAME = (
    b"\xff" * 6
    + mac("02:00:00:00:02:01")
    + b"\x08\0"
    + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20, 0, 0, 64, 253, 0xF5E9, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
)
