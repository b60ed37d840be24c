"""Which decisions are ready: packets that wait for their datagram hold back everything after them, within bounds.

Packet-path style; the engine calls these once a batch.
"""

from __future__ import annotations

from twinwall.engine.pipeline import lost, resolve
from twinwall.path.layout import NO_RULE
from twinwall.path.primitives import Address, get
from twinwall.path.reason import Reason
from twinwall.stream.fragments import waiting_packet
from twinwall.stream.layout import T_SLOTS
from twinwall.stream.slots import close_oldest, tag_of

NONE_WAITING = 0xFFFFFFFFFFFFFFFF


def oldest_waiting(fragments: Address) -> int:
    """The lowest number of a packet that waits for its datagram; `NONE_WAITING` if there is none."""
    oldest = NONE_WAITING
    slot = 1
    while slot <= get(fragments, T_SLOTS):
        if tag_of(fragments, slot) & 1:
            packet = waiting_packet(fragments, slot, 0)
            if packet < oldest:
                oldest = packet
        slot = slot + 1
    return oldest


def force_oldest(records: Address, decisions: Address, fragments: Address, desk: Address) -> int:
    """Give up the datagram under reassembly that is the oldest; how many packets that resolves."""
    slot = close_oldest(fragments)
    if slot == 0:
        return 0
    return resolve(records, decisions, fragments, desk, slot, NO_RULE, lost(Reason.FRAGMENT_INCOMPLETE), 0)
