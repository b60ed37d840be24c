"""Which protocol's machine takes a packet: whether it may be a flow's first, what a new entry starts with, each step."""

from __future__ import annotations

from twinwall.conntrack.entry import E_DEADLINE, E_KEY
from twinwall.conntrack.header import H_LOOSE, H_UDP, H_UDP_STREAM, H_UDPLITE, H_UDPLITE_STREAM
from twinwall.conntrack.protocols.generic import step_generic
from twinwall.conntrack.protocols.gre import step_gre
from twinwall.conntrack.protocols.icmp import asks, icmp_timeout
from twinwall.conntrack.protocols.outcome import PASSED
from twinwall.conntrack.protocols.sctp_step import begin_sctp, step_sctp
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.conntrack.protocols.tcp_step import NO_KIND, begin_tcp, next_state, segment_kind, step_tcp
from twinwall.conntrack.protocols.udp import begin_udp, step_udp
from twinwall.path.layout import GRE, ICMP, ICMP6, SCTP, TCP, UDP, UDPLITE, W_HEADER
from twinwall.path.primitives import Address, get, put, table_at

_INVALID, _SYN_SENT = TcpState.INVALID.value, TcpState.SYN_SENT.value


def needs_transport(proto: int) -> int:
    """1 for protocols whose tuple is read from the transport header."""
    if proto == TCP or proto == UDP or proto == ICMP or proto == ICMP6:
        return 1
    return 1 if proto == UDPLITE or proto == SCTP or proto == GRE else 0


def may_begin(table: Address, record: Address, proto: int) -> int:
    """1 if this packet may be a flow's first, as far as its header says."""
    if proto == TCP:
        kind = segment_kind(table, record)
        if kind > NO_KIND:
            return 0
        state = next_state(table, 0, kind, 0)
        if state == _INVALID:
            return 0
        return 1 if state == _SYN_SENT or table_at(table, H_LOOSE) != 0 else 0
    if proto == ICMP or proto == ICMP6:
        return asks(proto, (get(record, W_HEADER) >> 32) & 0xFF)
    return 1


def begin_machine(table: Address, entry: Address, packet: Address, end: Address, record: Address, now: int) -> int:
    """Let the machine take a new flow's first packet: PASSED or REFUSED."""
    proto = (get(entry, E_KEY) >> 32) & 0xFF
    if proto == TCP:
        begin_tcp(entry, packet, end, record, segment_kind(table, record))
    elif proto == UDP or proto == UDPLITE:
        begin_udp(entry, now)
    elif proto == SCTP:
        begun = begin_sctp(table, entry, packet, end, record)
        if begun != PASSED:
            return begun
        return step_sctp(table, entry, packet, end, record, now, 0, 0)
    return step_machine(table, entry, packet, end, record, now, 0)


def step_machine(
    table: Address, entry: Address, packet: Address, end: Address, record: Address, now: int, direction: int
) -> int:
    """Let the machine take a packet of a known flow: an `outcome`."""
    proto = (get(entry, E_KEY) >> 32) & 0xFF
    if proto == TCP:
        return step_tcp(table, entry, packet, end, record, now, direction)
    if proto == UDP:
        return step_udp(entry, now, table_at(table, H_UDP), table_at(table, H_UDP_STREAM))
    if proto == ICMP or proto == ICMP6:
        put(entry, E_DEADLINE, now + icmp_timeout(table, proto))
        return PASSED
    if proto == SCTP:
        return step_sctp(table, entry, packet, end, record, now, direction, 1)
    if proto == GRE:
        return step_gre(table, entry, now)
    if proto == UDPLITE:
        return step_udp(entry, now, table_at(table, H_UDPLITE), table_at(table, H_UDPLITE_STREAM))
    return step_generic(table, entry, now)
