"""EVE `flow`, one record for an ended connection, and `netflow`, one for each direction that carried packets.

A record's `timestamp` is when the connection ended: its deadline if that passed, else its last packet.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from twinwall.conntrack.entry import (
    END_DROPPED,
    END_EVICTED,
    END_REPLACED,
    END_RESET,
    END_SHUTDOWN,
    END_TIMEOUT,
    ST_SEEN_REPLY,
)
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.events.address import eve_address
from twinwall.events.packet import WITH_PORTS, JsonObject
from twinwall.events.protocol import NAMES
from twinwall.events.rows import FlowRow
from twinwall.events.timestamp import age_seconds, eve_time
from twinwall.path.flow_state import FLOW_DROP, FLOW_PASS, FLOW_REJECT
from twinwall.path.layout import FIN, ICMP, ICMP6, TCP
from twinwall.path.reason import Direction


class FlowState(StrEnum):
    """How far a connection came."""

    NEW = "new"
    ESTABLISHED = "established"
    CLOSED = "closed"


# Linux's states of a TCP connection as Suricata names them, and what they make of the flow.  For Suricata the server's side
# is the session's: a client that closes first leaves it in CLOSE_WAIT, a server that does so goes through FIN_WAIT.
TCP_STATES: dict[int, tuple[str, FlowState]] = {
    TcpState.NONE: ("none", FlowState.NEW),
    TcpState.SYN_SENT: ("syn_sent", FlowState.NEW),
    TcpState.SYN_SENT2: ("syn_recv", FlowState.NEW),
    TcpState.SYN_RECV: ("syn_recv", FlowState.NEW),
    TcpState.ESTABLISHED: ("established", FlowState.ESTABLISHED),
    TcpState.FIN_WAIT: ("fin_wait1", FlowState.ESTABLISHED),
    TcpState.CLOSE_WAIT: ("fin_wait2", FlowState.ESTABLISHED),
    TcpState.LAST_ACK: ("last_ack", FlowState.CLOSED),
    TcpState.TIME_WAIT: ("closed", FlowState.CLOSED),
    TcpState.CLOSE: ("closed", FlowState.CLOSED),
}
CLIENT_CLOSED = {"fin_wait1": "close_wait", "fin_wait2": "close_wait"}
SESSION_STATES = tuple(dict.fromkeys([name for name, _ in TCP_STATES.values()] + list(CLIENT_CLOSED.values())))
END_REASONS = {
    END_TIMEOUT: "timeout",
    END_REPLACED: "tcp_reuse",
    END_EVICTED: "forced",
    END_SHUTDOWN: "shutdown",
    END_RESET: "timeout",  # Suricata has no word of its own: a reset session ends when its flow is next looked at
    END_DROPPED: "timeout",  # nor for this
}
FLOW_ACTIONS = {FLOW_PASS: "pass", FLOW_DROP: "drop", FLOW_REJECT: "drop"}
TCP_FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr")  # by bit
FLAG_ORDER = ("syn", "fin", "rst", "psh", "ack", "urg", "ecn", "cwr")  # as records list them
# What answers an ICMP or ICMPv6 request.
ICMP_ANSWERS = {(ICMP, 8): 0, (ICMP, 13): 14, (ICMP, 15): 16, (ICMP, 17): 18, (ICMP6, 128): 129, (ICMP6, 139): 140}


def flow_state(flow: FlowRow) -> FlowState:
    """How far the connection came."""
    if flow.proto == TCP:
        return TCP_STATES[flow.state][1]
    return FlowState.ESTABLISHED if flow.status & ST_SEEN_REPLY else FlowState.NEW


def session_state(flow: FlowRow) -> str:
    """The TCP state of the connection, by Suricata's names."""
    name = TCP_STATES[flow.state][0]
    return CLIENT_CLOSED.get(name, name) if flow.o_flags & FIN else name


def ended_at(flow: FlowRow) -> int:
    """When the connection ended, in nanoseconds since 1970."""
    return int(flow.deadline if flow.end_reason == END_TIMEOUT else flow.last_seen)


def flow_record(flow: FlowRow) -> JsonObject:
    """The record of an ended connection, both directions together."""
    record = _head(flow, "flow", Direction.ORIGINAL)
    if "icmp_type" in record and flow.r_packets:
        record["response_icmp_type"] = _icmp(flow, Direction.REPLY)[0]
        record["response_icmp_code"] = 0
    record["flow"] = {
        "pkts_toserver": flow.o_packets,
        "pkts_toclient": flow.r_packets,
        "bytes_toserver": flow.o_bytes,
        "bytes_toclient": flow.r_bytes,
        "start": eve_time(flow.start),
        "end": eve_time(flow.last_seen),
        "age": age_seconds(flow.start, flow.last_seen),
        "state": flow_state(flow).value,
        "reason": END_REASONS.get(flow.end_reason, "unknown"),
        "alerted": bool(flow.alerts),
    }
    if flow.verdict:
        record["flow"]["action"] = FLOW_ACTIONS[flow.verdict]
    if flow.proto == TCP:
        record["tcp"] = _tcp_session(flow)
    return record


def netflow_records(flow: FlowRow) -> list[JsonObject]:
    """The records of an ended connection, one for each direction that carried packets, the client's first."""
    directions = (Direction.ORIGINAL, Direction.REPLY) if flow.r_packets else (Direction.ORIGINAL,)
    return [_netflow(flow, direction) for direction in directions]


class _Side(NamedTuple):
    """What one direction of a connection carried."""

    packets: int
    bytes: int
    flags: int
    min_ttl: int
    max_ttl: int


def _side(flow: FlowRow, direction: Direction) -> _Side:
    if direction is Direction.ORIGINAL:
        return _Side(flow.o_packets, flow.o_bytes, flow.o_flags, flow.o_min_ttl, flow.o_max_ttl)
    return _Side(flow.r_packets, flow.r_bytes, flow.r_flags, flow.r_min_ttl, flow.r_max_ttl)


def _netflow(flow: FlowRow, direction: Direction) -> JsonObject:
    carried = _side(flow, direction)
    record = _head(flow, "netflow", direction)
    record["app_proto"] = "unknown"
    record["netflow"] = {
        "pkts": carried.packets,
        "bytes": carried.bytes,
        "start": eve_time(flow.start),
        "end": eve_time(flow.last_seen),
        "age": age_seconds(flow.start, flow.last_seen),
        "min_ttl": carried.min_ttl,
        "max_ttl": carried.max_ttl,
    }
    if flow.proto == TCP:
        record["tcp"] = {"tcp_flags": f"{carried.flags:02x}"} | _flag_names(carried.flags)
    return record


def _head(flow: FlowRow, event_type: str, direction: Direction) -> JsonObject:
    version, proto = flow.version, flow.proto
    client = eve_address(version, flow.src_hi, flow.src_lo)
    server = eve_address(version, flow.dst_hi, flow.dst_lo)
    head: JsonObject = {
        "timestamp": eve_time(ended_at(flow)),
        "flow_id": flow.flow_id,
        "event_type": event_type,
        "src_ip": server if direction else client,
    }
    if proto in WITH_PORTS:
        head["src_port"] = flow.dport if direction else flow.sport
    head["dest_ip"] = client if direction else server
    if proto in WITH_PORTS:
        head["dest_port"] = flow.sport if direction else flow.dport
    head["proto"] = NAMES[proto]
    if proto in (ICMP, ICMP6):
        head["icmp_type"], head["icmp_code"] = _icmp(flow, direction)
    return head


def _icmp(flow: FlowRow, direction: Direction) -> tuple[int, int]:
    """Type and code of a direction: the tracker keeps the request's, the answer's follow from them."""
    kind, code = flow.dport >> 8, flow.dport & 0xFF
    if not direction:
        return kind, code
    return ICMP_ANSWERS.get((flow.proto, kind), kind), code


def _tcp_session(flow: FlowRow) -> JsonObject:
    original, reply = flow.o_flags, flow.r_flags
    session: JsonObject = {
        "tcp_flags": f"{original | reply:02x}",
        "tcp_flags_ts": f"{original:02x}",
        "tcp_flags_tc": f"{reply:02x}",
    }
    return session | _flag_names(original | reply) | {"state": session_state(flow)}


def _flag_names(flags: int) -> dict[str, bool]:
    present = {name for bit, name in enumerate(TCP_FLAGS) if flags >> bit & 1}
    return {name: True for name in FLAG_ORDER if name in present}
