"""Which entries a packet's five-tuple leaves, in the order of the rules; and what a flow remembers of it.

Addresses, ports and protocol are the same in every packet of a side, and few entries accept all five.  So the first packet
searches, and later ones look only at what may differ: flags, ICMP type, context, direction and state.

    a list   valid:1 at bit 63, count:3 at 60, then entry numbers of H_CANDIDATE_BITS each; count 7: more than a list holds

Rows are searched in search order, rules apply in theirs: the table's scratch bits turn one into the other.
"""

from __future__ import annotations

from twinwall.path.flow_state import E_CACHE_O, E_CANDIDATE_O
from twinwall.path.layout import W_DST_HI, W_KEY, W_SRC_HI, W_STATUS
from twinwall.path.lookup import address_row, block_word, blocks_at, four_blocks, four_words, half_word, port_row, row_at
from twinwall.path.primitives import Address, get, put, table_at, trailing_zeros
from twinwall.path.table_layout import (
    H_CANDIDATE_BITS,
    H_CANDIDATE_LIMIT,
    H_DESTINATION_INDEX,
    H_DESTINATION_PORTS,
    H_ORDER,
    H_PROTOCOLS,
    H_ROW_CACHE,
    H_SCRATCH,
    H_SOURCE_INDEX,
    H_SOURCE_PORTS,
    H_STEPS,
    H_SUMMARIES,
)

NO_ENTRY = 0xFFFFFFFF
LIST_VALID = 1 << 63
LIST_COUNT = 60
LIST_MANY = 7


def make_list(rules: Address, record: Address, entry: Address, side: int) -> int:
    """The list of the packet's five-tuple, which the flow keeps for the rest of that side."""
    count = collect(rules, record, entry, side, 0)
    limit = table_at(rules, H_CANDIDATE_LIMIT)
    bits = table_at(rules, H_CANDIDATE_BITS)
    kept = LIST_VALID | ((count if count <= limit else LIST_MANY) << LIST_COUNT)
    place = 0
    number = take_first(rules)
    while number != NO_ENTRY:
        if count <= limit:
            kept |= number << place
            place += bits
        number = take_first(rules)
    put(entry, E_CANDIDATE_O + side, kept)
    return kept


def collect(rules: Address, record: Address, entry: Address, side: int, known: int) -> int:
    """Set the scratch bits of all entries that accept the packet's five-tuple; how many.

    `side` 0 or 1: the packet has its flow's five-tuple, whose rows the entry keeps; `known`: they are there already.
    """
    key = get(record, W_KEY)
    if known and table_at(rules, H_ROW_CACHE):
        rows = get(entry, E_CACHE_O + side)
        source = rows & 0xFFFF
        destination = (rows >> 16) & 0xFFFF
        sport = (rows >> 32) & 0xFFFF
        dport = rows >> 48
    else:
        steps = table_at(rules, H_STEPS)
        status = get(record, W_STATUS)
        version = (key >> 40) & 0xFF
        source = address_row(rules, record, W_SRC_HI, H_SOURCE_INDEX, version, steps)
        destination = address_row(rules, record, W_DST_HI, H_DESTINATION_INDEX, version, steps)
        sport = port_row(rules, record, key & 0xFFFF, status, H_SOURCE_PORTS)
        dport = port_row(rules, record, (key >> 16) & 0xFFFF, status, H_DESTINATION_PORTS)
        if side < 2 and table_at(rules, H_ROW_CACHE):
            put(entry, E_CACHE_O + side, source | (destination << 16) | (sport << 32) | (dport << 48))
    protocol = half_word(rules, table_at(rules, H_PROTOCOLS), (key >> 32) & 0xFF)
    return search(
        rules,
        row_at(rules, source),
        row_at(rules, destination),
        row_at(rules, sport),
        row_at(rules, dport),
        row_at(rules, protocol),
    )


def search(rules: Address, source: int, destination: int, sport: int, dport: int, protocol: int) -> int:
    """Set the scratch bits of the entries that five rows (by where they start) have in common; how many."""
    summaries = table_at(rules, H_SUMMARIES)
    order = table_at(rules, H_ORDER)
    scratch = table_at(rules, H_SCRATCH)
    count = 0
    group = 0
    while group < summaries:
        live = four_words(rules, source + group, destination + group, sport + group, dport + group)
        live &= table_at(rules, protocol + group)
        while live:
            word = (group << 6) + trailing_zeros(live)
            live &= live - 1
            hits = four_blocks(
                rules,
                word,
                blocks_at(source, summaries),
                blocks_at(destination, summaries),
                blocks_at(sport, summaries),
                blocks_at(dport, summaries),
            )
            hits &= block_word(rules, blocks_at(protocol, summaries), word)
            while hits:
                number = half_word(rules, order, (word << 6) + trailing_zeros(hits))
                hits &= hits - 1
                bits = scratch + summaries + (number >> 6)
                put(rules, bits, get(rules, bits) | (1 << (number & 63)))
                summary = scratch + (number >> 12)
                put(rules, summary, get(rules, summary) | (1 << ((number >> 6) & 63)))
                count += 1
        group += 1
    return count


def take_first(rules: Address) -> int:
    """The lowest entry whose scratch bit is set, and its bit cleared; NO_ENTRY if there is none."""
    summaries = table_at(rules, H_SUMMARIES)
    scratch = table_at(rules, H_SCRATCH)
    group = 0
    while group < summaries:
        summary = get(rules, scratch + group)
        if summary:
            word = (group << 6) + trailing_zeros(summary)
            bits = get(rules, scratch + summaries + word)
            rest = bits & (bits - 1)
            put(rules, scratch + summaries + word, rest)
            if rest == 0:
                put(rules, scratch + group, summary & (summary - 1))
            return (word << 6) + trailing_zeros(bits)
        group += 1
    return NO_ENTRY
