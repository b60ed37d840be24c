"""Network interfaces through rtnetlink: what there is, which XDP program is attached, and what happens to them.

Everything concerns the calling thread's network namespace.  Written against <linux/rtnetlink.h> and <linux/if_link.h>.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from twinwall.live.error import EnforcementError
from twinwall.live.netlink import (
    NETLINK_ROUTE,
    Message,
    NetlinkError,
    NetlinkSocket,
    SocketHolder,
    attribute,
    attributes,
    nested,
    text,
)

NEW_LINK, DELETED_LINK, GET_LINK, SET_LINK = 16, 17, 18, 19
LINK_GROUP = 1
INTERFACE = struct.Struct("=BxHiII")  # family, hardware type, index, flags, change
IFLA_NAME, IFLA_MTU, IFLA_LOWER, IFLA_MASTER, IFLA_INFO, IFLA_XDP = 3, 4, 5, 10, 18, 43
INFO_KIND = 1
XDP_FD, XDP_FLAGS, XDP_EXPECTED_FD = 1, 3, 8
IF_NOT_THERE, REPLACE = 1, 16
UP = 1
ETHERNET_LINKS = (1, 772)  # ARPHRD_ETHER, ARPHRD_LOOPBACK: frames begin with an Ethernet header


class XdpMode(StrEnum):
    """Where a program runs: in the driver, or in the stack, after it has made a packet of the frame."""

    NATIVE = "native"
    GENERIC = "generic"


XDP_MODE_FLAGS = {XdpMode.NATIVE: 4, XdpMode.GENERIC: 2}
XDP_PROGRAM_OF = {XdpMode.NATIVE: 5, XdpMode.GENERIC: 6}  # the attribute with the program's identifier


class AttachedXdp(NamedTuple):
    """An XDP program on an interface."""

    mode: XdpMode
    program: int  # its identifier


@dataclass(frozen=True, slots=True)
class Link:
    """One interface.  `kind` is the driver's word for a virtual one (`veth`, `bridge`), else empty.

    `master` is the index of the bridge, bond or VRF that takes what comes in here; 0: none.  `lower` is that of the interface
    that a virtual one stands on, a VLAN for example (of a veth, its other end, which may be elsewhere); 0: none.
    """

    index: int
    name: str
    hardware: int  # ARPHRD_*
    up: bool
    mtu: int
    kind: str
    xdp: tuple[AttachedXdp, ...]  # more than one only if native and generic programs are attached at once
    master: int = 0
    lower: int = 0

    @property
    def has_ethernet_header(self) -> bool:
        """Whether the frames that XDP sees begin with an Ethernet header."""
        return self.hardware in ETHERNET_LINKS


class LinkEvent(NamedTuple):
    """An interface appeared or changed, or (`present` False) disappeared."""

    link: Link
    present: bool


class LinkNews(NamedTuple):
    """What happened; `lost`: something more did, and who follows interfaces has to look at all of them again."""

    events: list[LinkEvent]
    lost: bool


def _decoded(message: Message) -> Link:
    _, hardware, index, flags, _ = INTERFACE.unpack_from(message.payload)
    found = attributes(message.payload, INTERFACE.size)
    name = found.get(IFLA_NAME, b"").rstrip(b"\0").decode(errors="replace")
    kind = attributes(found.get(IFLA_INFO, b"")).get(INFO_KIND, b"").rstrip(b"\0").decode(errors="replace")
    xdp = attributes(found.get(IFLA_XDP, b""))
    programs = tuple(
        AttachedXdp(mode, struct.unpack("=I", xdp[place])[0]) for mode, place in XDP_PROGRAM_OF.items() if place in xdp
    )
    places = (IFLA_MTU, IFLA_MASTER, IFLA_LOWER)
    mtu, master, lower = (struct.unpack("=I", found.get(place, bytes(4)))[0] for place in places)
    return Link(index, name, hardware, bool(flags & UP), mtu, kind, programs, master, lower)


def links() -> tuple[Link, ...]:
    """All interfaces.  Raises `EnforcementError`."""
    with NetlinkSocket(NETLINK_ROUTE) as netlink:
        return tuple(
            _decoded(message) for message in netlink.dump("list the interfaces", GET_LINK, INTERFACE.pack(0, 0, 0, 0, 0))
        )


def link(name: str) -> Link:
    """The interface `name`.  Raises `EnforcementError`, also if there is none of that name."""
    with NetlinkSocket(NETLINK_ROUTE) as netlink:
        payload = INTERFACE.pack(0, 0, 0, 0, 0) + text(IFLA_NAME, name)
        try:
            answers = netlink.request(f"look for the interface {name}", GET_LINK, payload)
        except NetlinkError as error:
            if error.number not in (errno.ENODEV, errno.EINVAL, errno.ERANGE):
                raise
            remedy = "see `ip link` for the interfaces, and the policy's `attach` for the name"
            raise EnforcementError(f"look for the interface {name}", "there is no interface of that name", remedy) from error
    return _decoded(answers[0])


def set_xdp(index: int, mode: XdpMode, program: int, expected: int | None) -> None:
    """Attach the program with the file descriptor `program` (-1: none) in place of `expected`, at once; None: nothing is there.

    Raises `NetlinkError`: EBUSY or EEXIST if something else is attached, EOPNOTSUPP if the driver cannot.
    """
    flags = XDP_MODE_FLAGS[mode] | (IF_NOT_THERE if expected is None else REPLACE)
    parts = [attribute(XDP_FD, struct.pack("=i", program)), attribute(XDP_FLAGS, struct.pack("=I", flags))]
    if expected is not None:
        parts.append(attribute(XDP_EXPECTED_FD, struct.pack("=i", expected)))
    with NetlinkSocket(NETLINK_ROUTE) as netlink:
        payload = INTERFACE.pack(0, 0, index, 0, 0) + nested(IFLA_XDP, *parts)
        netlink.request(f"attach an XDP program ({mode}) to interface {index}", SET_LINK, payload)


def set_master(port: Link, master: Link | None) -> None:
    """Let an interface be a port of `master`, a bridge for example; None: of nothing.  Raises `NetlinkError`."""
    action = f"put {port.name} into {master.name}" if master is not None else f"take {port.name} out of what it is a port of"
    with NetlinkSocket(NETLINK_ROUTE) as netlink:
        index = struct.pack("=I", master.index if master is not None else 0)
        netlink.request(action, SET_LINK, INTERFACE.pack(0, 0, port.index, 0, 0) + attribute(IFLA_MASTER, index))


class LinkEvents(SocketHolder):
    """What happens to interfaces from now on.  A context manager."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket(NETLINK_ROUTE)
        try:
            self._socket.subscribe(LINK_GROUP)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def take(self, timeout: float | None = 0.0) -> LinkNews:
        """What happened since the last call; waits up to `timeout` seconds (None: for ever) for the first news."""
        messages, lost = self._socket.receive(timeout)
        wanted = [each for each in messages if each.kind in (NEW_LINK, DELETED_LINK)]
        return LinkNews([LinkEvent(_decoded(each), each.kind == NEW_LINK) for each in wanted], lost)
