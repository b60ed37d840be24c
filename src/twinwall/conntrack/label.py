"""The tracker's answer about one packet: the label, the direction, the entry, and the rule language's notion of established."""

from __future__ import annotations

from twinwall.conntrack.entry import E_KEY, E_O_PACKETS, E_R_PACKETS
from twinwall.conntrack.header import H_INVALID, H_LINUX_FLOWS
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.path.flow_state import TRACK_ESTABLISHED, TRACK_QUOTE
from twinwall.path.layout import ACK, FIN, RST, SYN, TCP, W_KEY, W_PLACE
from twinwall.path.primitives import Address, get, put, table_at
from twinwall.path.reason import CtState, Direction

_INVALID = CtState.INVALID.value
_NO_DIRECTION = Direction.NONE.value
_SYN_RECV, _ESTABLISHED, _CLOSE = TcpState.SYN_RECV.value, TcpState.ESTABLISHED.value, TcpState.CLOSE.value


def pack(state: int, direction: int, marks: int, index: int) -> int:
    """The answer: CtState in bits 0-7, Direction 8-15, TRACK_* marks 16-31, entry index (from 1, 0 none) 32-63."""
    return state | (direction << 8) | marks | (index << 32)


def refuse(table: Address, marks: int, index: int) -> int:
    """INVALID; `index` where the packet's tuple has an entry, so that rules can see the flow.

    Under `Flows.LINUX` they cannot: the kernel takes such a packet off its connection.  It is no midstream packet either.
    """
    if table_at(table, H_LINUX_FLOWS) != 0:
        marks = marks & TRACK_QUOTE
        index = 0
    put(table, H_INVALID, get(table, H_INVALID) + 1)
    return pack(_INVALID, _NO_DIRECTION, marks, index)


def established_entry(entry: Address) -> int:
    """TRACK_ESTABLISHED if the flow is established by what was seen so far."""
    key = get(entry, E_KEY)
    if ((key >> 32) & 0xFF) == TCP:
        state = (key >> 48) & 0xFF
        return TRACK_ESTABLISHED if state >= _ESTABLISHED and state <= _CLOSE else 0
    return TRACK_ESTABLISHED if get(entry, E_O_PACKETS) != 0 and get(entry, E_R_PACKETS) != 0 else 0


def established_packet(entry: Address, record: Address, direction: int, side: int) -> int:
    """TRACK_ESTABLISHED for a packet of a known flow, before the tracker takes it.

    TCP: the handshake was over before this segment, or it is the handshake's last ACK and carries data.  Other protocols: both
    sides have sent, this packet included.  (Suricata 7, `FlowHandlePacketUpdate`, and its TCP engine.)
    """
    key = get(entry, E_KEY)
    if ((key >> 32) & 0xFF) == TCP:
        state = (key >> 48) & 0xFF
        if state >= _ESTABLISHED and state <= _CLOSE:
            return TRACK_ESTABLISHED
        if state == _SYN_RECV and direction == 0:
            flags = (get(record, W_KEY) >> 48) & (FIN | SYN | RST | ACK)
            if flags == ACK and (get(record, W_PLACE) >> 48) != 0:
                return TRACK_ESTABLISHED
        return 0
    return TRACK_ESTABLISHED if get(entry, E_R_PACKETS - 2 * side) != 0 else 0
