"""Who receives an NFLOG group or an NFQUEUE queue: the process that holds the netlink socket which the kernel names.

The kernel lists groups and queues with the socket's address, and sockets with their inode; a process holds an inode open.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from twinwall.live.netlink import NETLINK_NETFILTER, NetlinkError

PROC = Path("/proc")
SOCKETS = "thread-self/net/netlink"
UNSEEN = "another program"
PROTOCOL, ADDRESS, INODE = 1, 2, 9  # columns of that file


def receivers(listing: Path) -> Mapping[int, int]:
    """Number of a group or queue → address of the socket that receives it; none where that may not be read."""
    try:
        rows = [line.split() for line in listing.read_text().splitlines()]
    except OSError:
        return {}
    return {int(row[0]): int(row[1]) for row in rows}


def processes_of(addresses: Collection[int], proc: Path = PROC) -> Mapping[int, str]:
    """The processes behind sockets of this network namespace, in words, as far as they may be seen."""
    sockets = dict(_inodes(addresses, proc)) if addresses else {}
    found: dict[int, str] = {}
    for process in proc.iterdir() if sockets else ():
        for link in _links(process) if process.name.isdecimal() else ():
            if link in sockets:
                found[sockets[link]] = _words(process)
    return found


def claimed(error: NetlinkError, listing: Path, number: int, remedy: str) -> NetlinkError:
    """Tell what another socket receives already from a missing privilege: nfnetlink says EPERM of both."""
    address = receivers(listing).get(number)
    if error.number != errno.EPERM or address is None:
        return error
    return NetlinkError(error.action, errno.EBUSY, f"{processes_of({address}).get(address, UNSEEN)} receives it", remedy=remedy)


def _inodes(addresses: Collection[int], proc: Path) -> Iterator[tuple[str, int]]:
    """What a process that holds one of the sockets has open, with the socket's address."""
    for line in (proc / SOCKETS).read_text().splitlines()[1:]:
        row = line.split()
        if int(row[PROTOCOL]) == NETLINK_NETFILTER and int(row[ADDRESS]) in addresses:
            yield f"socket:[{row[INODE]}]", int(row[ADDRESS])


def _words(process: Path) -> str:
    try:
        return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    except OSError:  # it has just ended
        return f"process {process.name}"


def _links(process: Path) -> Iterator[str]:
    try:
        for descriptor in (process / "fd").iterdir():
            yield str(descriptor.readlink())
    except OSError:  # it has ended, or is nobody's business
        return
