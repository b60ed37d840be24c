"""Link types: the numbers that capture files use for "how a frame begins", and what the packet path calls them.

Numbers are the registry's (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcaplinktype-00.html).  12 and 14 are what
raw IP is called where a system's own number went into the file.
"""

from __future__ import annotations

from twinwall.path.layout import (
    LINK_ETHERNET,
    LINK_LOOP,
    LINK_NULL,
    LINK_RAW,
    LINK_SLL,
    LINK_SLL2,
    LINK_UNSUPPORTED,
)

LINK_OF_TYPE = {
    0: LINK_NULL,
    1: LINK_ETHERNET,
    12: LINK_RAW,
    14: LINK_RAW,
    101: LINK_RAW,
    108: LINK_LOOP,
    113: LINK_SLL,
    228: LINK_RAW,
    229: LINK_RAW,
    276: LINK_SLL2,
}


def link_of_type(linktype: int) -> int:
    """The `LINK_*` code for a file's link type; `LINK_UNSUPPORTED` for one that twinwall does not decode."""
    return LINK_OF_TYPE.get(linktype, LINK_UNSUPPORTED)
