"""EVE `flow` of connections that the kernel tracks, and the identifier that joins all records of one.

The record is a replay's, less what the kernel does not tell: the TCP flags and the TTLs that were seen, why the connection
ended, and, where `nf_conntrack_acct` or `nf_conntrack_timestamp` is off, what it carried or when it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct

from twinwall.events.flow import flow_record
from twinwall.events.packet import JsonObject
from twinwall.events.rows import FlowRow
from twinwall.path.layout import ICMP, ICMP6, TCP

FLOW_ID_BITS = 53  # JSON readers keep so many exactly
ENDS = Struct("!B6Q")
WITH_IDENTIFIER = {ICMP: frozenset((0, 8, 13, 14, 15, 16, 17, 18)), ICMP6: frozenset((128, 129))}  # types


def flow_id(protocol: int, one: tuple[int, int, int], other: tuple[int, int, int]) -> int:
    """The identifier of the connection between two ends (address in two words, port), whichever speaks; never 0."""
    first, second = (one, other) if one <= other else (other, one)
    digest = blake2b(ENDS.pack(protocol, *first, *second), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - FLOW_ID_BITS) or 1


@dataclass(frozen=True, slots=True)
class KnownFlow:
    """A connection as the kernel tells it; `row` has 0 where it says nothing.

    `ended`: it is over.  `counted`: packets and bytes are known.  `state_known`: the protocol's state is.
    """

    row: FlowRow
    ended: bool
    counted: bool
    state_known: bool
    alerted: bool = False


def known_flow_id(row: FlowRow) -> int:
    """The identifier that the connection's packets have."""
    ports = (row.sport, row.sport) if row.proto in WITH_IDENTIFIER else (row.sport, row.dport)
    return flow_id(row.proto, (row.src_hi, row.src_lo, ports[0]), (row.dst_hi, row.dst_lo, ports[1]))


def flow_event(flow: KnownFlow) -> JsonObject:
    """The `flow` record of a connection that began or ended: what the kernel does not tell is not in it."""
    row = flow.row._replace(flow_id=known_flow_id(flow.row), alerts=int(flow.alerted))
    record = flow_record(row)
    said = record["flow"]
    missing = [] if flow.counted else ["pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient"]
    if not row.start:
        missing += ["start", "age"]
    if not flow.ended:
        missing += ["end", "age", "reason", "alerted"]
    record["flow"] = {name: value for name, value in said.items() if name not in missing}
    if row.proto == TCP:
        record["tcp"] = {"state": record["tcp"]["state"]}
        if not flow.state_known:
            del record["tcp"]
    return record
