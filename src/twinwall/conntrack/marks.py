"""What Linux's rules can know of a connection, for `Flows.LINUX`: the label, and bits that they left on it (`ct mark`).

The rule language's "established before this packet" is no label of Linux's, so the rendered ruleset keeps two bits on every
TCP connection (`render.marks`: CT_HALF_OPEN, CT_ESTABLISHED), set by what a segment looks like and by whether the connection is
ASSURED.  An entry keeps the same two, set by the same signs, so that replay says what the kernel says and not what it could
have said if it saw the state.  Of other protocols, the label ESTABLISHED is the rule language's.
"""

from __future__ import annotations

from twinwall.conntrack.entry import E_KEY, E_STATUS, ST_ASSURED, ST_ESTABLISHED, ST_HALF_OPEN, ST_SEEN_REPLY
from twinwall.path.flow_state import TRACK_ESTABLISHED
from twinwall.path.layout import ACK, FIN, RST, SYN, TCP, W_KEY, W_PLACE
from twinwall.path.primitives import Address, get, put


def is_tcp(entry: Address) -> int:
    """1 for an entry of TCP."""
    return 1 if ((get(entry, E_KEY) >> 32) & 0xFF) == TCP else 0


def marked_packet(entry: Address, record: Address, direction: int) -> int:
    """TRACK_ESTABLISHED for a packet of a known flow, before the tracker takes it."""
    status = get(entry, E_STATUS)
    if is_tcp(entry) == 0:
        return TRACK_ESTABLISHED if direction != 0 or (status & ST_SEEN_REPLY) != 0 else 0
    if (status & ST_ESTABLISHED) != 0:
        return TRACK_ESTABLISHED
    if (status & ST_HALF_OPEN) == 0 or direction != 0:
        return 0
    flags = (get(record, W_KEY) >> 48) & (FIN | SYN | RST | ACK)
    return TRACK_ESTABLISHED if flags == ACK and (get(record, W_PLACE) >> 48) != 0 else 0


def marked_entry(entry: Address) -> int:
    """TRACK_ESTABLISHED for an ICMP error about a packet of this flow."""
    bit = ST_ESTABLISHED if is_tcp(entry) != 0 else ST_SEEN_REPLY
    return TRACK_ESTABLISHED if (get(entry, E_STATUS) & bit) != 0 else 0


def learn(entry: Address, record: Address) -> int:
    """Mark the flow by a segment that the tracker took: what the ruleset writes on the connection after the verdict."""
    if is_tcp(entry) == 0:
        return 0
    status = get(entry, E_STATUS)
    flags = (get(record, W_KEY) >> 48) & (FIN | SYN | RST | ACK)
    learnt = status
    if (status & ST_ASSURED) != 0 or ((status & ST_HALF_OPEN) != 0 and (flags & (FIN | RST)) != 0):
        learnt = learnt | ST_ESTABLISHED
    if flags == (SYN | ACK):
        learnt = learnt | ST_HALF_OPEN
    if learnt != status:
        put(entry, E_STATUS, learnt)
    return 0
