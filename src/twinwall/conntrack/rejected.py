"""What a reject does to the connection, under `Flows.LINUX`: the reset that it sends closes Linux's entry.

Linux: `nf_ct_set_closing`, called by what sends the reset.  It sends none, and closes nothing, for a packet that is a reset
itself, and for one into whose IP options it has written: it then finds a wrong checksum.  A wrong checksum of the packet's own
has the same effect; replay takes checksums for right unless it is told to look.
"""

from __future__ import annotations

from twinwall.conntrack.entry import E_DEADLINE, ENTRY_STATE
from twinwall.conntrack.header import H_LINUX_FLOWS, H_TCP_TIMEOUT
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.path.layout import IPOPT_RR, IPOPT_TS, RST, W_KEY, W_STATUS
from twinwall.path.primitives import Address, get, load_u8, put, store_u8, table_at

_CLOSE = int(TcpState.CLOSE)


def close_rejected(table: Address, entry: Address, record: Address, now: int) -> int:
    """A reject answers this segment of a connection with a reset."""
    if table_at(table, H_LINUX_FLOWS) == 0 or (get(record, W_KEY) >> 48) & RST != 0:
        return 0
    if (get(record, W_STATUS) >> 16) & (IPOPT_RR | IPOPT_TS) != 0 or load_u8(entry, ENTRY_STATE) == _CLOSE:
        return 0
    store_u8(entry, ENTRY_STATE, _CLOSE)
    put(entry, E_DEADLINE, now + table_at(table, H_TCP_TIMEOUT + _CLOSE))
    return 0
