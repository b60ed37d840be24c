"""The connection table's memory: one entry of 32 words (256 bytes), then the flow's rule bits.

An entry is what Linux keeps in `struct nf_conn` plus what the rule language wants to know about a flow.  The tracker writes
it through the primitives; NumPy reads it in place as `ENTRY`.  Ended flows are handed out as copies of their entry.
"""

from __future__ import annotations

import numpy as np

ENTRY_WORDS = 32
ENTRY_BYTES = 256

# Words.  "o" is the side that sent the flow's first packet, "r" the other; for Linux the two are swapped under ST_REVERSED.
E_SRC_HI, E_SRC_LO, E_DST_HI, E_DST_LO = 0, 1, 2, 3  # the first packet's addresses
E_KEY = 4  # sport:16 dport:16 proto:8 version:8 state:8 spare:8 ; ICMP: sport = id, dport = code | type<<8 ; GRE: dport = call
E_LINK = 5  # next:32 (chain or free list: entry index + 1) hash:32
E_DEADLINE = 6  # nanoseconds since 1970 from which on the entry is no longer there
E_STATUS = 7  # status:32 spare:32

# The machine's memory.  TCP: what is known of each side's numbers, by Linux's direction (window.py); `tcp_flags.FLAG_*`.
E_O_END, E_R_END = 8, 11  # end:32 maxend:32
E_O_WINDOW, E_R_WINDOW = 9, 12  # maxwin:32 maxack:32
E_O_MORE, E_R_MORE = 10, 13  # scale:8 flags:8 spare:48
# TCP: the last segment that was remembered.
E_LAST_SEQ = 14  # seq:32 ack:32
E_LAST_END = 15  # end:32 repeats:32 (modulo 256)
E_LAST_WIN = 16  # window:32 direction:8 kind:8 scale:8 flags:8
# UDP: E_O_END is when the flow becomes a stream.  SCTP: E_O_END and E_R_END are the tags each side's packets carry.

# The flow's record.
E_O_PACKETS, E_O_BYTES, E_R_PACKETS, E_R_BYTES = 17, 18, 19, 20  # bytes of IP
E_START, E_LAST_SEEN = 21, 22  # nanoseconds since 1970
E_FLOW_ID = 23  # 0: a free place
E_VERDICT = 24  # rule:32 verdict:8 (0 none 1 pass 2 drop 3 reject) scope_seen:8 alerts:16
E_SEEN = 25  # o_flags:8 r_flags:8 o_min_ttl:8 o_max_ttl:8 r_min_ttl:8 r_max_ttl:8 end_reason:8 spare:8
E_CACHE_O, E_CACHE_R = 26, 27  # what rule evaluation remembers of the five-tuple (path.flow_state)
E_CANDIDATE_O, E_CANDIDATE_R = 28, 29
E_O_START, E_R_START = 30, 31  # first packet of each side, nanoseconds since 1970; 0: none
E_BITS = 32  # flowbits, one bit each, as many words as the policy needs

# Bytes of an entry that are written alone.
ENTRY_STATE = 38  # in E_KEY: the protocol's state
ENTRY_END_REASON = 206  # in E_SEEN: the END_*

ENTRY = np.dtype(
    {
        "names": [
            "src_hi", "src_lo", "dst_hi", "dst_lo",
            "sport", "dport", "proto", "version", "state",
            "next", "hash", "deadline", "status",
            "o_packets", "o_bytes", "r_packets", "r_bytes",
            "start", "last_seen", "flow_id",
            "rule", "verdict", "scope_seen", "alerts",
            "o_flags", "r_flags", "o_min_ttl", "o_max_ttl", "r_min_ttl", "r_max_ttl", "end_reason",
            "o_start", "r_start",
        ],
        "formats": [
            "u8", "u8", "u8", "u8",
            "u2", "u2", "u1", "u1", "u1",
            "u4", "u4", "u8", "u4",
            "u8", "u8", "u8", "u8",
            "u8", "u8", "u8",
            "u4", "u1", "u1", "u2",
            "u1", "u1", "u1", "u1", "u1", "u1", "u1",
            "u8", "u8",
        ],
        "offsets": [
            0, 8, 16, 24,
            32, 34, 36, 37, 38,
            40, 44, 48, 56,
            136, 144, 152, 160,
            168, 176, 184,
            192, 196, 197, 198,
            200, 201, 202, 203, 204, 205, 206,
            240, 248,
        ],
        "itemsize": ENTRY_BYTES,
    }
)  # fmt: skip

# `status`
ST_SEEN_REPLY = 1
ST_ASSURED = 2
ST_UNCONFIRMED = 8  # its first packet was dropped: Linux has no entry; the rules still know the flow
ST_MIDSTREAM = 16  # the start of the connection was not seen
ST_REVERSED = 32  # Linux's original direction is the flow's other side: its first packet was dropped, the answer was not
# Under Flows.LINUX, what the ruleset's bits on a TCP connection say (conntrack.marks).
ST_HALF_OPEN = 64
ST_ESTABLISHED = 128

# `end_reason`: a new connection took the ports, the table was full, the run was over, a RST answered or withdrew a SYN
END_NONE, END_TIMEOUT, END_REPLACED, END_EVICTED, END_SHUTDOWN, END_RESET = 0, 1, 2, 3, 4, 5
END_DROPPED = 6  # Flows.LINUX: its first packet was dropped, so that Linux never had it
