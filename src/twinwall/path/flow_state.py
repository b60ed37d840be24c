"""What the tracker and the rules tell each other about a packet's flow: the tracker's word, and the rules' words of an entry.

`conntrack` sits above `path`, so what both need stands here; `conntrack.entry` has the whole entry and a test compares them.
"""

from __future__ import annotations

# `tracked`: bits 0-7 CtState, 8-15 Direction, 16-31 these marks in place, 32-63 entry index + 1 (0: the packet has no entry).
TRACK_FRESH = 1 << 16  # this packet made the entry, or would have: `settle` must hear its verdict
TRACK_FULL = 1 << 17  # no room in the table, and nothing to evict
TRACK_MIDSTREAM = 1 << 18  # TCP without an entry, neither SYN nor RST: the start was not seen
TRACK_ESTABLISHED = 1 << 19  # the rule language's notion of an established flow
TRACK_QUOTE = 1 << 20  # an ICMP error; the entry is the quoted packet's
TRACK_TO_CLIENT = 1 << 21  # sent to the side that sent the flow's first packet: the direction as rules mean it

# Words of an entry that rules read or write.
E_O_PACKETS, E_O_BYTES, E_R_PACKETS, E_R_BYTES = 17, 18, 19, 20
E_START = 21
E_FLOW_ID = 23
E_VERDICT = 24  # rule:32 verdict:8 (FLOW_*) scope_seen:8 (bit per side: its IP-only rules ran) alerts:16
E_CACHE_O, E_CACHE_R = 26, 27  # by side: the row numbers of its five-tuple, 16 bits each
E_CANDIDATE_O, E_CANDIDATE_R = 28, 29  # by side: the entries that its five-tuple leaves
E_BITS = 32  # flowbits, one bit each

FLOW_OPEN, FLOW_PASS, FLOW_DROP, FLOW_REJECT = 0, 1, 2, 3  # E_VERDICT's verdict
