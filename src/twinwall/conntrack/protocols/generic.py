"""Protocols without a machine of their own (ESP, OSPF, IGMP, …): addresses and protocol number are the flow."""

from __future__ import annotations

from twinwall.conntrack.entry import E_DEADLINE
from twinwall.conntrack.header import H_GENERIC
from twinwall.conntrack.protocols.outcome import PASSED
from twinwall.path.primitives import Address, put, table_at


def step_generic(table: Address, entry: Address, now: int) -> int:
    """Refresh the flow."""
    put(entry, E_DEADLINE, now + table_at(table, H_GENERIC))
    return PASSED
