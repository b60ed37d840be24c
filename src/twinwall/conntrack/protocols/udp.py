"""The UDP and UDP-Lite machine: a flow has no states, only two lifetimes.

A flow that both sides have used for more than two seconds is a stream: it lives longer and is ASSURED.  One question with its
answer, DNS say, is none.
"""

from __future__ import annotations

from twinwall.conntrack.entry import E_DEADLINE, E_O_END, E_STATUS, ST_ASSURED, ST_SEEN_REPLY
from twinwall.conntrack.protocols.outcome import PASSED
from twinwall.path.layout import W_PLACE
from twinwall.path.primitives import Address, get, put
from twinwall.path.wire import be16

STREAM_AFTER = 2_000_000_000


def begin_udp(entry: Address, now: int) -> int:
    """Note when a new flow, if it still lives, becomes a stream."""
    put(entry, E_O_END, now + STREAM_AFTER)
    return 0


def step_udp(entry: Address, now: int, single: int, stream: int) -> int:
    """Refresh the flow with the lifetime it has earned: `single` or `stream` nanoseconds."""
    status = get(entry, E_STATUS)
    timeout = single
    if (status & ST_SEEN_REPLY) != 0 and now > get(entry, E_O_END):
        timeout = stream
        put(entry, E_STATUS, status | ST_ASSURED)
    put(entry, E_DEADLINE, now + timeout)
    return PASSED


def udplite_checksum(packet: Address, end: Address, record: Address) -> int:
    """The checksum field of a UDP-Lite header, which must not be 0 (RFC 3828 section 3.1)."""
    header = packet + ((get(record, W_PLACE) >> 16) & 0xFFFF)
    return 0 if header + 8 > end else be16(header, 6)
