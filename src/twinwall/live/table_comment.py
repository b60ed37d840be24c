"""The comment of one of our tables, which says what policy the kernel holds.

`nft --json` leaves table comments out, and its plain form would list every element to get at one line; one netlink question
answers it.  Written against <linux/netfilter/nf_tables.h> and libnftnl's udata.h.
"""

from __future__ import annotations

import errno
import struct

from twinwall.live.netlink import NETLINK_NETFILTER, NetlinkError, NetlinkSocket, attributes, text
from twinwall.live.nft import Table

FAMILIES = {"inet": 1, "ip": 2, "netdev": 5, "bridge": 7, "ip6": 10}
NFT_MSG_GETTABLE = 10 << 8 | 1
NFT_MSG_GETGEN = 10 << 8 | 16
GENERATION_ID = 1
TABLE_NAME, TABLE_USERDATA = 1, 6
COMMENT = 0
FAMILY_HEADER = struct.Struct("!BBH")


def table_comment(table: Table) -> str | None:
    """The comment of a table, empty if it has none; None if there is no such table.  Raises `EnforcementError`."""
    action = f"ask for table {table.family} {table.name}"
    payload = FAMILY_HEADER.pack(FAMILIES[table.family], 0, 0) + text(TABLE_NAME, table.name)
    with NetlinkSocket(NETLINK_NETFILTER) as kernel:
        try:
            answers = kernel.request(action, NFT_MSG_GETTABLE, payload)
        except NetlinkError as error:
            if error.number == errno.ENOENT:
                return None
            raise
    for answer in answers:
        userdata = attributes(answer.payload, FAMILY_HEADER.size).get(TABLE_USERDATA, b"")
        return comment(userdata)
    return None


def generation_number() -> int:
    """How many transactions nftables has seen in this network namespace.  Raises `EnforcementError`."""
    with NetlinkSocket(NETLINK_NETFILTER) as kernel:
        answers = kernel.request("ask nftables for its generation", NFT_MSG_GETGEN, FAMILY_HEADER.pack(0, 0, 0))
    return int.from_bytes(attributes(answers[0].payload, FAMILY_HEADER.size).get(GENERATION_ID, b""), "big")


def comment(userdata: bytes) -> str:
    """The comment among a table's user data: kind, length and value, one after the other."""
    place = 0
    while place + 2 <= len(userdata):
        kind, length = userdata[place], userdata[place + 1]
        if kind == COMMENT:
            return userdata[place + 2 : place + 2 + length].rstrip(b"\0").decode(errors="replace")
        place += 2 + length
    return ""
