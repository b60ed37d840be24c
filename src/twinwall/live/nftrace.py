"""What nftables says of traced packets: a message for every rule that matched and every chain that ended.

Packets are traced once a rule with `meta nftrace set 1` has seen them; the messages go to everybody in the network namespace
who listens.  Headers come with a packet's first message of each hook, marks wherever they are not zero; what the tracker knows
is there from Linux 6.14 on.

Written against <linux/netfilter/nf_tables.h>.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from twinwall.live.netlink import NETLINK_NETFILTER, Message, NetlinkSocket, SocketHolder, attributes

GROUP = 9  # NFNLGRP_NFTRACE
MESSAGE = 10 << 8 | 17  # NFT_MSG_TRACE
RECEIVE_BUFFER = 16 << 20
FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
VERDICT_CODE, VERDICT_CHAIN = 1, 2


class Attribute(IntEnum):
    """NFTA_TRACE_*."""

    TABLE = 1
    CHAIN = 2
    HANDLE = 3
    KIND = 4
    VERDICT = 5
    IDENT = 6
    LINK_HEADER = 7
    NETWORK_HEADER = 8
    TRANSPORT_HEADER = 9
    INSIDE = 10
    OUTSIDE = 12
    MARK = 14
    POLICY = 16
    CONNECTION = 18
    DIRECTION = 19
    STATUS = 20
    STATE = 21


class Kind(IntEnum):
    """What a message is about."""

    POLICY = 1  # a base chain ended, and its policy decided
    RETURN = 2  # a chain ended
    RULE = 3  # a rule matched


class Code(StrEnum):
    """What a rule or a policy says."""

    ACCEPT = "accept"
    DROP = "drop"
    STOLEN = "stolen"
    QUEUE = "queue"
    CONTINUE = "continue"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"


CODES = {
    0: Code.DROP, 1: Code.ACCEPT, 2: Code.STOLEN, 3: Code.QUEUE,
    -1: Code.CONTINUE, -3: Code.JUMP, -4: Code.GOTO, -5: Code.RETURN,
}  # fmt: skip
QUEUE_MASK = 0xFF  # of a positive code: above it stands the queue's number


class TrackerState(IntEnum):
    """NF_CT_STATE_BIT: what `ct state` says."""

    INVALID = 1
    ESTABLISHED = 2
    RELATED = 4
    NEW = 8
    UNTRACKED = 64


@dataclass(frozen=True, slots=True)
class Step:
    """One message.  `packet` begins with the IP header, as far as the kernel shows it; empty in all but a hook's first."""

    ident: int
    kind: Kind
    family: str
    table: str
    chain: str
    handle: int = 0
    code: Code | None = None
    target: str = ""  # of a jump or goto
    mark: int = 0
    packet: bytes = b""
    inside: int = 0  # index of the interface it came in by; 0: unsaid
    outside: int = 0
    connection: int | None = None
    direction: int | None = None
    status: int = 0
    state: TrackerState | None = None


class Steps(NamedTuple):
    """What came in, and whether messages were lost because they came faster than they were read."""

    steps: list[Step]
    lost: bool


class TraceListener(SocketHolder):
    """Hears of traced packets of this network namespace.  A context manager."""

    def __init__(self, buffer: int = RECEIVE_BUFFER) -> None:
        self._socket = NetlinkSocket(NETLINK_NETFILTER, receive_buffer=buffer)
        try:
            self._socket.subscribe(GROUP)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def receive(self, timeout: float | None = 0.0) -> Steps:
        """Wait for messages (None: for ever) and return those that came.  Raises `NetlinkError`."""
        messages, lost = self._socket.receive(timeout)
        return Steps([decode_step(each) for each in messages if each.kind == MESSAGE], lost)


def decode_step(message: Message) -> Step:
    """One trace message; what is missing in it has its default."""
    found = attributes(message.payload, 4)
    code, target = _verdict(found)
    number = {each: int.from_bytes(found.get(each, b"")) for each in Attribute}
    return Step(
        ident=number[Attribute.IDENT],
        kind=Kind(number[Attribute.KIND]),
        family=FAMILIES.get(message.payload[0], str(message.payload[0])),
        table=_text(found, Attribute.TABLE),
        chain=_text(found, Attribute.CHAIN),
        handle=number[Attribute.HANDLE],
        code=code,
        target=target,
        mark=number[Attribute.MARK],
        packet=found.get(Attribute.NETWORK_HEADER, b"") + found.get(Attribute.TRANSPORT_HEADER, b""),
        inside=number[Attribute.INSIDE],
        outside=number[Attribute.OUTSIDE],
        connection=number[Attribute.CONNECTION] if Attribute.CONNECTION in found else None,
        direction=number[Attribute.DIRECTION] if Attribute.DIRECTION in found else None,
        status=number[Attribute.STATUS],
        state=TrackerState(number[Attribute.STATE]) if Attribute.STATE in found else None,
    )


def _verdict(found: dict[int, bytes]) -> tuple[Code | None, str]:
    if Attribute.POLICY in found:
        return CODES[int.from_bytes(found[Attribute.POLICY], signed=True)], ""
    said = attributes(found.get(Attribute.VERDICT, b""))
    if VERDICT_CODE not in said:
        return None, ""
    code = int.from_bytes(said[VERDICT_CODE], signed=True)
    return CODES.get(code if code < 0 else code & QUEUE_MASK), said.get(VERDICT_CHAIN, b"").rstrip(b"\0").decode()


def _text(found: dict[int, bytes], kind: Attribute) -> str:
    return found.get(kind, b"").rstrip(b"\0").decode(errors="replace")
