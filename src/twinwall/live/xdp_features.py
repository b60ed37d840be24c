"""Which interfaces can run XDP in their driver, as the kernel says it (generic netlink family `netdev`, Linux 6.3 and newer).

Source: Documentation/netlink/specs/netdev.yaml.
"""

from __future__ import annotations

import errno
import sys

from twinwall.live.netlink import NetlinkError, NetlinkSocket, attribute, attributes, text

NETLINK_GENERIC = 16
FAMILY = "netdev"
CONTROL, GET_FAMILY, FAMILY_ID, FAMILY_NAME = 16, 3, 1, 2
DEVICE_GET, DEVICE_INDEX, DEVICE_FEATURES = 1, 1, 3
BASIC = 1  # XDP_PASS, XDP_DROP, XDP_ABORTED and XDP_TX in the driver


def native_xdp(index: int) -> bool | None:
    """Whether the driver of interface number `index` runs XDP; None: this kernel does not say.  Raises `NetlinkError`."""
    with NetlinkSocket(NETLINK_GENERIC) as kernel:
        try:
            family = _family(kernel)
            question = _head(DEVICE_GET) + attribute(DEVICE_INDEX, index.to_bytes(4, sys.byteorder))
            (answer,) = kernel.request("ask what XDP an interface can", family, question)
        except NetlinkError as error:
            if error.number in (errno.ENOENT, errno.EOPNOTSUPP):
                return None
            raise
    return bool(int.from_bytes(attributes(answer.payload, 4)[DEVICE_FEATURES], sys.byteorder) & BASIC)


def _family(kernel: NetlinkSocket) -> int:
    question = _head(GET_FAMILY) + text(FAMILY_NAME, FAMILY)
    (answer,) = kernel.request(f"ask for the netlink family {FAMILY}", CONTROL, question)
    return int.from_bytes(attributes(answer.payload, 4)[FAMILY_ID], sys.byteorder)


def _head(command: int) -> bytes:
    return bytes([command, 1, 0, 0])
