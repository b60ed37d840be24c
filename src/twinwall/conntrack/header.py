"""The first words of a connection table: where its sections lie, its settings, its counters.

One contiguous array holds header, buckets, entries and ended flows, so that one address reaches everything.
Offsets are in bytes from the start of the table; durations in nanoseconds.
"""

from __future__ import annotations

# Sections.
H_BUCKET_MASK = 0  # buckets - 1; the number of buckets is a power of two
H_CAPACITY = 1  # the most entries that may live
H_BUCKETS = 2  # offset of the chain heads: 32 bits each, entry index + 1, 0: empty
H_ENTRIES = 3  # offset of entry 0
H_ENTRY_SIZE = 4  # bytes: ENTRY_BYTES + 8 for each word of rule bits
H_ENDED = 5  # offset of the copies of ended entries, ENTRY_BYTES each
H_ENDED_CAPACITY = 6

# State.
H_LIVE = 8  # entries in chains
H_FREE = 9  # head of the free list: entry index + 1, linked through E_LINK
H_UNUSED = 10  # entries from here on were never used, so their memory was never touched
H_ENDED_COUNT = 11
H_SWEEP = 12  # where the next sweep goes on
H_FLOWS = 13  # flows ever begun; flow ids are made of it

# Settings.
H_KEY0, H_KEY1 = 16, 17  # the hash's secret
H_LOOSE, H_LIBERAL, H_IGNORE_INVALID_RST, H_MAX_RETRANS = 18, 19, 20, 21
H_FLOW_SEED = 22
H_BIT_WORDS = 23  # words of rule bits behind each entry
H_LINUX_FLOWS = 29  # 1: Flows.LINUX, the rules know no flow that Linux does not

# Counters, as in /proc/net/stat/nf_conntrack.
H_INVALID, H_EVICTED, H_FULL, H_EXPIRED, H_ENDED_LOST = 24, 25, 26, 27, 28

# Scratch: a tuple in an entry's order (words 0-3).
H_TUPLE = 32

# Timeouts.
H_TCP_TIMEOUT = 48  # + TcpState; then the two that are no states
H_TCP_RETRANS, H_TCP_UNACKNOWLEDGED = 58, 59
H_UDP, H_UDP_STREAM, H_UDPLITE, H_UDPLITE_STREAM = 60, 61, 62, 63
H_ICMP, H_ICMP6, H_GRE, H_GRE_STREAM, H_GENERIC = 64, 65, 66, 67, 68
H_SCTP_TIMEOUT = 70  # + SctpState

# Tables.
H_TCP_KINDS = 80  # 64 nibbles in 4 words: TCP flags -> segment kind
H_TCP_ROWS = 84  # 2 directions x 6 kinds, one word each: 4 bits of next state for each state
H_SCTP_ROWS = 96  # 2 directions x 11 chunk types, likewise

HEADER_WORDS = 128
