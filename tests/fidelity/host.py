"""A host in a network namespace: the gateway of `gateway`, which owns the inside addresses instead of forwarding to them.

    own programs [host] out0 ── far        mark ── mark0

What `gateway` sends in by the inside link is sent by the host itself: a raw socket hands the very bytes to the output hook.
What would come out by the inside link is delivered to the host: an NFLOG group behind the stateful stage tells it.

Nobody listens, and what the kernel says about that (resets, unreachable ports, echo replies) does not come to twinwall's
chains: it would take part in the conversations, of which replay is told every packet.  The answers of a reject do come out.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import TYPE_CHECKING

from tests.fidelity.compare import options_change
from tests.fidelity.gateway import ANSWER, ANSWER_HOPS, GROUP, IN, LABEL, LABELS, MARKER, OUT, RECEIVE_BUFFER, Gateway
from tests.fidelity.headers import header_length, piece_of, version_of
from tests.fidelity.traffic import CLIENTS4, CLIENTS6, Sent
from twinwall.events.reported import claimed_length, decoded
from twinwall.live.nflog import LogGroup
from twinwall.render.marks import REJECTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

DELIVERED = GROUP + 1
ATTACH = f"attach: {{mode: host, outside: [{OUT}], log_group: {GROUP}}}\n"
OWN = frozenset(socket.inet_pton(socket.AF_INET6 if ":" in each else socket.AF_INET, each) for each in CLIENTS4 + CLIENTS6)
PROGRAMS = "meta skuid != 4294967295"  # what a program sends has a user; no user has this number

RULES = """
table inet harness {{
  chain marker {{
    type filter hook prerouting priority -500; policy accept;
    iifname "mark0" log group {group} snaplen 64 prefix "{marker}" drop
  }}
  chain own {{
    type filter hook output priority -500; policy accept;
    {programs} accept
    meta mark {rejected} accept
    drop
  }}
  chain labels {{
{labels}
  }}
  chain label_input {{
    type filter hook input priority -1; policy accept;
    iifname "{outside}" goto labels
  }}
  chain label_output {{
    type filter hook output priority -1; policy accept;
    {programs} goto labels
  }}
  chain delivered {{
    type filter hook input priority 300; policy accept;
    iifname "{outside}" log group {delivered}
  }}
  chain answers {{
    type filter hook output priority 300; policy accept;
    {programs} accept
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
    return RULES.format(
        group=GROUP,
        marker=MARKER,
        programs=PROGRAMS,
        rejected=REJECTED,
        labels=labels,
        outside=OUT,
        delivered=DELIVERED,
        hops=ANSWER_HOPS,
        answer=ANSWER,
    )


class Host(Gateway):
    """A context manager, used as the gateway is."""

    def __enter__(self) -> Self:
        super().__enter__()
        with self.router.entered():
            self._sockets[IN] = self._stack.enter_context(OwnEnd())
        return self

    def _wire(self) -> None:
        super()._wire()
        own = [f"addr add {each}/{128 if ':' in each else 32} dev lo" for each in CLIENTS4 + CLIENTS6]
        self.set({"net.ipv4.ip_forward": 0, "net.ipv6.conf.all.forwarding": 0})
        self.router.run("ip", "-batch", "-", text="\n".join(own))
        self.router.run("nft", "-f", "-", text=f"delete table inet harness\n{rules()}")


class OwnEnd:
    """The host's own programs: sends frames (their packets) as they are, receives those that were delivered."""

    def __init__(self) -> None:
        self._sockets = {
            4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
            6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW),
        }
        self._log = LogGroup(DELIVERED, buffer=RECEIVE_BUFFER, gather=0)
        self._waiting: deque[bytes] = deque()

    def send(self, frame: bytes) -> None:
        packet = frame[14:]
        to = packet[16:20] if version_of(packet) == 4 else packet[24:40]
        name = socket.inet_ntop(socket.AF_INET if len(to) == 4 else socket.AF_INET6, to)
        with contextlib.suppress(PermissionError):  # what is dropped on the way out
            self._sockets[version_of(packet)].sendto(packet, (name, 0))

    def recv(self, size: int) -> bytes:
        while not self._waiting:
            logged = self._log.receive()
            if logged.lost:
                raise RuntimeError(f"{logged.lost} messages were lost")
            if not logged.packets:
                raise BlockingIOError
            self._waiting += [bytes(14) + each.packet for each in logged.packets]
        return self._waiting.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()
        for each in self._sockets.values():
            each.close()


def of_a_host(sent: Sequence[Sent]) -> Iterator[Sent]:
    """The packets that a host can send or receive, with the link that says which: IN is the host itself.

    Left out is what has no meaning there, or meets the same code in a gateway: a host's own damaged packets; its own with
    options into which a router writes, to which Linux answers otherwise; fragments from outside, which IP puts together for the
    host even if they pass untracked; and the host's own fragments.  Linux cuts behind the output hooks, so that only a program
    that writes IP headers itself sends pieces there, and the output chains take a first piece's transport header for whole.
    """
    for each in sent:
        source, destination = (end in OWN for end in ends(each.packet))
        if source == destination or piece_of(each.packet):
            continue
        if destination:
            yield each._replace(link=OUT)
        elif not is_damaged(each.packet) and not asks_routers(each.packet):
            yield each._replace(link=IN)


def ends(packet: bytes) -> tuple[bytes, bytes]:
    """Source and destination."""
    return (packet[12:16], packet[16:20]) if version_of(packet) == 4 else (packet[8:24], packet[24:40])


def is_damaged(packet: bytes) -> bool:
    """Whether the decoder of the stateless stage refuses it, or it claims more than there is."""
    return bool(decoded(packet)["reason"]) or claimed_length(packet) != len(packet)


def asks_routers(packet: bytes) -> bool:
    """Whether it has options that routers write into."""
    return version_of(packet) == 4 and options_change(packet[20 : header_length(packet)])
