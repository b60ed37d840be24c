"""On which interfaces a chain of one of our netdev tables hangs: `nft --json` does not say it of chains with several.

Written against <linux/netfilter/nf_tables.h>.
"""

from __future__ import annotations

import errno

from twinwall.live.netlink import NETLINK_NETFILTER, NetlinkError, NetlinkSocket, attribute_list, attributes, text
from twinwall.live.nft import Table
from twinwall.live.table_comment import FAMILIES, FAMILY_HEADER

NFT_MSG_GETCHAIN = 10 << 8 | 4
CHAIN_TABLE, CHAIN_NAME, CHAIN_HOOK = 1, 3, 4
HOOK_DEVICE, HOOK_DEVICES = 3, 4


def hooked_devices(table: Table, chain: str) -> frozenset[str]:
    """The interfaces' names; none if there is no such chain.  Raises `EnforcementError`."""
    payload = FAMILY_HEADER.pack(FAMILIES[table.family], 0, 0) + text(CHAIN_TABLE, table.name) + text(CHAIN_NAME, chain)
    with NetlinkSocket(NETLINK_NETFILTER) as kernel:
        try:
            answers = kernel.request(f"ask for chain {chain} of table {table.name}", NFT_MSG_GETCHAIN, payload)
        except NetlinkError as error:
            if error.number == errno.ENOENT:
                return frozenset()
            raise
    hooks = [attributes(attributes(each.payload, FAMILY_HEADER.size).get(CHAIN_HOOK, b"")) for each in answers]
    names = [hook[HOOK_DEVICE] for hook in hooks if HOOK_DEVICE in hook]
    names += [name for hook in hooks for _, name in attribute_list(hook.get(HOOK_DEVICES, b""))]
    return frozenset(name.rstrip(b"\0").decode() for name in names)
