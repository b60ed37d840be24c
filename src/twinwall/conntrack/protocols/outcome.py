"""What a protocol's machine says about a packet of a known entry."""

from __future__ import annotations

PASSED = 0  # the packet belongs to the entry, whether or not it changed it
REFUSED = 1  # it does not fit the entry: INVALID
REOPENED = 2  # it begins a new connection on the entry's addresses and ports: the entry ends, the packet is tracked afresh
