"""A compiled stage: one flat array of 64-bit words.  This is the map of it.

The first `HEADER_WORDS` words say where everything lies, in words from the start of the table.  Every field of a packet leads
to a *row*: the set of entries (rules, or halves of `<>` rules) that accept the field's value.

    row     summary words, then where its blocks start (two 32-bit numbers a word), padded to a constant stride
    summary bit n: some of the entries 64n … 64n+63 accept
    block   8 words: the bits of 512 entries.  Equal blocks are stored once, whichever rows they belong to
    paged   an array of 32-bit numbers: a directory that says for every 256 of them where their page starts, counted in
            32-bit numbers from the start of the table.  Equal pages are stored once

Rows that are searched hold entries in *search order* (`compile.order`), in which few words of a row matter to a packet.
`compile.table` writes tables, `path.lookup` reads them.
"""

from __future__ import annotations

HEADER_WORDS = 32

H_ENTRIES = 0  # how many entries, that is bits of a row
H_WORDS = 1  # words of 64 entries
H_SUMMARIES = 2  # summary words of a row
H_STRIDE = 3  # words from row to row
H_ROWS = 4  # the rows
H_BLOCKS = 5  # the blocks
H_PAGES = 6  # the pages of all paged arrays, 128 words each; the first section
H_SOURCE_INDEX = 7  # paged, 65,536 values for IPv4, then as many for IPv6, by the top 16 bits: LEAF and row, SPREAD, or a node
H_SOURCE_NODES = 8
H_DESTINATION_INDEX = 9
H_DESTINATION_NODES = 10
H_SOURCE_PORTS = 11  # paged, 65,537 row numbers; the last one for packets without ports
H_DESTINATION_PORTS = 12
H_KINDS = 13  # 512 words, by protocol without, then with a transport header: FORM_*
H_KIND_ROWS = 14  # paged, row numbers of ICMP messages: protocol:1 (ICMP, ICMPv6) code:8 type:8
H_CONTEXTS = 15  # paged, 4,096 row numbers: interface:8 reassembled:1 IPv6:1 fragment:2
H_INFO = 16  # a word for each entry: INFO_*; stateless: in search order
H_STEPS = 17  # the most halvings that a search in one node needs
H_DEFAULT = 18  # stateless: action of unmatched packets:8, of fragments:8, of fragments of anything but UDP:8

H_ASKED = 19  # stateless: 1 if some rule asks for a source port or a context, 0 if the rows of both are all ones

H_PROTOCOLS = 20  # stateful: 256 row numbers of 32 bits: what accepts the protocol in any packet of it
H_ORDER = 21  # stateful: 32-bit entry numbers, by place in search order; kind and context rows are in rule order
H_SCRATCH = 22  # stateful: a summary and a bit for each entry, all zero between packets: the one part that is written
H_CHECKS = 23  # stateful: two words for each entry: CHECK_*, and what is known after it (path.apply, OUT_*) if it is the first
#   that matches; 0 where that depends on more, because it tests, reports, marks the flow or sets bits
H_PROGRAMS = 24  # stateful: the residual programs
H_ALERT_LIMIT = 25  # stateful: at most so many alerts for one packet
H_EFFECTS = 26  # stateful: 1 if some rule sets flowbits
H_CANDIDATE_BITS = 27  # stateful: bits of an entry number in a flow's list of candidates
H_CANDIDATE_LIMIT = 28  # stateful: how many of them a list holds
H_ROW_CACHE = 29  # stateful: 1 if row numbers have 16 bits, so that a flow can keep those of its five-tuple

PORTLESS = 65536  # the place of "no ports" in the port arrays
BLOCK_WORDS = 8
BLOCK_ENTRIES = 512

PAGE_BITS = 8  # of the index of a paged array choose inside a page

# How a packet's kind becomes a row: where the row's number stands (as the start of a page: see above), TCP flags added under
# the mask; or, with FORM_MESSAGE, the index of its protocol's messages in H_KIND_ROWS.
FORM_PLACE = 0xFFFFFFFF
FORM_FLAGS_SHIFT = 32  # 8 bits
FORM_MESSAGE = 1 << 40

# Address nodes: a count, then that many words chunk:32 value:32, sorted; the last one not above the chunk counts.
LEAF = 1 << 31  # the value is a row number; else the place of the node for the next 32 bits of the address
SPREAD = 1 << 30  # IPv4: the value is the place of 256 values of 32 bits, by the next 8 bits of the address

# An entry's info.  The rule stands highest: of two infos of one stage the lesser is the earlier rule's.
INFO_ACTION = 0xFF  # ACTION_*
INFO_FLOW = 1 << 8  # the verdict covers the flow
INFO_LOG = 1 << 9  # a match is reported
INFO_REASON_SHIFT = 16  # 8 bits
INFO_RULE_SHIFT = 32  # the rule the entry came from

# What an entry of the stateful stage asks of a packet whose five-tuple it accepts.
CHECK_FLOW = 0xFFFF  # bit n: it accepts place n of the flow: first of its direction:1 established:1 direction:2
CHECK_KIND = 1 << 16  # TCP flags or ICMP type and code: the kind row decides
CHECK_CONTEXT = 1 << 17  # fragment, IP version or interface: the context row decides
CHECK_DEFAULT = 1 << 18  # the entry is a default action
CHECK_PROGRAM_SHIFT = 32  # where its residual program starts in H_PROGRAMS (0: it has none)

ACTION_PASS, ACTION_DROP, ACTION_FORWARD, ACTION_REJECT, ACTION_ALERT = 0, 1, 2, 3, 4

# Residual programs: words `operation`, each followed by its operands; see path.residual.
OP_END = 0
OP_RANGES = 1  # field:8 at bit 8, negated:1 at 16, count:8 at 24, mask:32 at 32; then count words low:32 high:32
OP_ISSET = 2  # count:8 at 24; then count words, each a flowbit: one of them must be set
OP_ISNOTSET = 3
OP_SET = 4  # flowbit at bit 32
OP_UNSET = 5
OP_TOGGLE = 6
