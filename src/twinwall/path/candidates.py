"""What a flow remembers of the rules: the entries that one side's five-tuple leaves, or at least the rows of the five-tuple.

Addresses, ports and protocol are the same in every packet of a side, and few entries accept all five.  So the first packet
searches, and later ones look only at what may differ: flags, ICMP type, context, direction and state.

    a list   valid:1 at bit 63, count:3 at 60, then entry numbers of H_CANDIDATE_BITS each; count 7: more than a list holds
"""

from __future__ import annotations

from twinwall.path.flow_state import E_CACHE_O, E_CANDIDATE_O
from twinwall.path.layout import W_DST_HI, W_KEY, W_SRC_HI
from twinwall.path.lookup import NO_ENTRY, address_row, half_word, port_row, row_at, scan
from twinwall.path.primitives import Address, get, put, table_at
from twinwall.path.table_layout import (
    H_CANDIDATE_BITS,
    H_CANDIDATE_LIMIT,
    H_DESTINATION_INDEX,
    H_DESTINATION_PORTS,
    H_PROTOCOLS,
    H_ROW_CACHE,
    H_SOURCE_INDEX,
    H_SOURCE_PORTS,
    H_STEPS,
    H_WORDS,
)

LIST_VALID = 1 << 63
LIST_COUNT = 60
LIST_MANY = 7


def list_of(rules: Address, record: Address, entry: Address, side: int) -> int:
    """The list of the packet's five-tuple, which the flow keeps for the rest of that side."""
    kept = get(entry, E_CANDIDATE_O + side)
    if kept:
        return kept
    steps = table_at(rules, H_STEPS)
    source = address_row(rules, record, W_SRC_HI, H_SOURCE_INDEX, steps)
    destination = address_row(rules, record, W_DST_HI, H_DESTINATION_INDEX, steps)
    sport = port_row(rules, record, 0, H_SOURCE_PORTS)
    dport = port_row(rules, record, 16, H_DESTINATION_PORTS)
    if table_at(rules, H_ROW_CACHE):
        put(entry, E_CACHE_O + side, source | (destination << 16) | (sport << 32) | (dport << 48))
    kept = LIST_VALID | list_candidates(
        rules, record, row_at(rules, source), row_at(rules, destination), row_at(rules, sport), row_at(rules, dport)
    )
    put(entry, E_CANDIDATE_O + side, kept)
    return kept


def list_candidates(rules: Address, record: Address, source: int, destination: int, sport: int, dport: int) -> int:
    """Count and numbers of the entries that accept the packet's protocol and lie in the four rows of its five-tuple."""
    protocol = row_at(rules, half_word(rules, table_at(rules, H_PROTOCOLS), (get(record, W_KEY) >> 32) & 0xFF))
    words = table_at(rules, H_WORDS)
    bits = table_at(rules, H_CANDIDATE_BITS)
    limit = table_at(rules, H_CANDIDATE_LIMIT)
    numbers = 0
    count = 0
    number = scan(rules, record, words, 0, source, destination, sport, dport, protocol, protocol, protocol)
    while number != NO_ENTRY:
        if count == limit:
            return LIST_MANY << LIST_COUNT
        numbers |= number << (count * bits)
        count += 1
        number = scan(rules, record, words, number + 1, source, destination, sport, dport, protocol, protocol, protocol)
    return (count << LIST_COUNT) | numbers
