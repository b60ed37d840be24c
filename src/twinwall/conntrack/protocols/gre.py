"""The GRE machine: one lifetime until an answer was seen, a longer one after; no states.

Plain GRE (RFC 2784) is tracked by its addresses alone, whatever its key says.  A PPTP call (version 1, RFC 2637) is tracked by
its call identifier; the two directions of a call have different ones, which only PPTP's control connection tells, so that each
direction is a flow of its own (Linux without the PPTP helper).
"""

from __future__ import annotations

from twinwall.conntrack.entry import E_DEADLINE, E_STATUS, ST_ASSURED, ST_SEEN_REPLY
from twinwall.conntrack.header import H_GRE, H_GRE_STREAM
from twinwall.conntrack.protocols.outcome import PASSED
from twinwall.path.primitives import Address, get, put, table_at
from twinwall.path.wire import be16

VERSION_MASK, VERSION_PPTP = 7, 1
PROTOCOL_PPP = 0x880B
PPTP_BYTES = 8  # up to the call; a shorter header is taken for plain GRE
NO_TUPLE = 0xFFFFFFFF


def gre_ports(cursor: Address, stop: Address) -> int:
    """The part of the key that GRE adds, in the place of the ports; `NO_TUPLE` if the header makes no tuple."""
    if cursor + 4 > stop:
        return 0
    if (be16(cursor, 0) & VERSION_MASK) != VERSION_PPTP:
        return 0
    if cursor + PPTP_BYTES > stop:
        return 0
    if be16(cursor, 2) != PROTOCOL_PPP:
        return NO_TUPLE
    return be16(cursor, 6) << 16


def step_gre(table: Address, entry: Address, now: int) -> int:
    """Refresh the flow with the lifetime it has earned."""
    status = get(entry, E_STATUS)
    timeout = table_at(table, H_GRE)
    if (status & ST_SEEN_REPLY) != 0:
        timeout = table_at(table, H_GRE_STREAM)
        put(entry, E_STATUS, status | ST_ASSURED)
    put(entry, E_DEADLINE, now + timeout)
    return PASSED
