"""The pipeline's desk: one array of words with its settings and everything it counts.

    settings | packets and bytes by stage, reason, verdict and tracker label | by rule, either stage | talkers

The pipeline writes it, NumPy reads it: counting costs a load and a store a packet, and nothing is ever counted twice.
"""

from __future__ import annotations

# Settings.  The pipeline reads them with `table_at`: they are constant while it runs.
D_WORDS, D_STEPS = 0, 1  # of the stateless table: path.table_layout.H_WORDS, H_STEPS
D_CHECKSUMS = 2  # 1: wrong checksums are malformed
D_MIDSTREAM, D_INVALID = 3, 4  # EXCEPT_*
D_RING = 5  # rows of the records' and decisions' ring, minus one; a power of two minus one
D_ALERTS = 6  # how many alerts the buffer holds
D_ALERT_MARGIN = 7  # the most that one packet may add
D_STATELESS_HITS = 8  # where the sections lie, in words from the start
D_STATEFUL_HITS = 9
D_TALKERS = 10
D_TALKER_MASK = 11  # buckets of the talkers' table, minus one
# What the pipeline keeps.
D_CLOCK = 16  # the latest timestamp so far
D_BACKWARDS = 17  # packets older than the one before
D_PENDING = 18  # packets held for their datagram
D_RESOLVED = 19  # packets resolved after they were held
D_EARLIEST = 20  # the earliest timestamp so far
D_NOW = 21  # the time at the packet at hand: the latest so far, so that it never runs backwards
D_SCRATCH = 24  # a record and a decision: the datagram at hand
D_SPARE_ENTRY = 48  # an entry of zeros, for packets that have none
D_INTERFACES = 112  # 256 words: the capture's interface number to the policy's
SETTINGS = 368

NEVER = 0xFFFFFFFFFFFFFFFF
EXCEPT_DROP, EXCEPT_CONTINUE, EXCEPT_REJECT = 0, 1, 2

# Counts: two words (packets, bytes) each, by stage, reason, verdict and tracker label.
COUNTS = SETTINGS  # + (((stage * 256 + reason) * 3 + verdict) * 6 + ct_state) * 2
COUNT_SHAPE = (2, 256, 3, 6, 2)
COUNT_WORDS = 2 * 256 * 3 * 6 * 2
HITS = COUNTS + COUNT_WORDS  # stateless rules, then stateful ones: two words each, then the talkers

# Talkers: buckets of TALKER_WAYS sources; each source_hi, source_lo, version, packets, bytes, and room to fill 8 words.
TALKER_WAYS = 4
TALKER_WORDS = 8
T_HIGH, T_LOW, T_VERSION, T_PACKETS, T_BYTES = 0, 1, 2, 3, 4
