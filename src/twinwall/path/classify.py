"""The stateless stage: the first rule whose bit survives the AND of the packet's rows decides.

Where no rule matches, the stage's default does, or what the stage says of fragments.
"""

from __future__ import annotations

from twinwall.path.layout import MARK_FRAGMENT, NO_RULE, UDP, W_DST_HI, W_KEY, W_SRC_HI, W_STATUS
from twinwall.path.lookup import (
    MASK64,
    address_row,
    block_word,
    blocks_at,
    context_row,
    four_blocks,
    four_words,
    kind_row,
    port_row,
    row_at,
)
from twinwall.path.primitives import Address, another, get, note, opaque, table_at, trailing_zeros
from twinwall.path.reason import Reason
from twinwall.path.table_layout import (
    H_ASKED,
    H_DEFAULT,
    H_DESTINATION_INDEX,
    H_DESTINATION_PORTS,
    H_ENTRIES,
    H_INFO,
    H_SOURCE_INDEX,
    H_SOURCE_PORTS,
    INFO_ACTION,
    INFO_RULE_SHIFT,
)
from twinwall.path.trace import TraceEvent

NO_INFO = MASK64


def stateless(table: Address, record: Address, words: int, steps: int) -> int:
    """Judge one decoded packet: bits 0-7 action (0 pass, 1 drop, 2 forward), 8-15 `Reason`, 32-63 rule index or NO_RULE.

    `words` and `steps` are the table's H_WORDS and H_STEPS, and bound the loops; in eBPF the verifier knows them.
    """
    info = first_match(table, record, words, steps)
    if info != NO_INFO:
        note(record, TraceEvent.STATELESS_RULE, info >> INFO_RULE_SHIFT)
        return (info & INFO_ACTION) | (Reason.STATELESS_RULE << 8) | ((info >> INFO_RULE_SHIFT) << 32)
    defaults = table_at(table, H_DEFAULT)
    if (get(record, W_STATUS) >> 8) & MARK_FRAGMENT:
        shift = 8 if ((get(record, W_KEY) >> 32) & 0xFF) == UDP else 16
        action = (defaults >> shift) & 0xFF
        note(record, TraceEvent.STATELESS_FRAGMENT_DEFAULT, action)
        return action | (Reason.STATELESS_FRAGMENT_DEFAULT << 8) | (NO_RULE << 32)
    note(record, TraceEvent.STATELESS_DEFAULT, defaults & 0xFF)
    return (defaults & 0xFF) | (Reason.STATELESS_DEFAULT << 8) | (NO_RULE << 32)


def first_match(table: Address, record: Address, words: int, steps: int) -> int:
    """The info of the first rule that accepts the packet, or NO_INFO.

    Rows are in search order: every word that all rows share is looked at, unless its first rule comes after the best so far.
    """
    if table_at(table, H_ENTRIES) == 0:
        return NO_INFO
    key = get(record, W_KEY)
    status = get(record, W_STATUS)
    version = (key >> 40) & 0xFF
    summaries = (words + 63) >> 6
    kind = row_at(table, kind_row(table, record, key, status))
    dport = row_at(table, port_row(table, record, (key >> 16) & 0xFFFF, status, H_DESTINATION_PORTS))
    if summaries == 1 and table_at(table, kind) & table_at(table, dport) == 0:
        return NO_INFO  # no need to look at addresses
    source = row_at(table, address_row(table, record, W_SRC_HI, H_SOURCE_INDEX, version, steps))
    destination = row_at(table, address_row(table, record, W_DST_HI, H_DESTINATION_INDEX, version, steps))
    asked = table_at(table, H_ASKED)
    sport = kind
    context = kind
    if asked:
        sport = row_at(table, port_row(table, record, key & 0xFFFF, status, H_SOURCE_PORTS))
        context = row_at(table, context_row(table, record, key, status))
    infos = table_at(table, H_INFO)
    best = NO_INFO
    group = 0
    live = four_words(table, source, destination, dport, kind)
    if asked:
        live &= table_at(table, sport) & table_at(table, context)
    turn = 0
    while another(turn, words + summaries):  # every turn leaves behind a word of the rows or a word of their summaries
        turn += 1
        if live == 0:
            group = opaque(record, group + 1)
            if group >= summaries:
                return best
            live = four_words(table, source + group, destination + group, dport + group, kind + group)
            if asked:
                live &= table_at(table, sport + group) & table_at(table, context + group)
            live = opaque(record, live)
        else:
            word = opaque(record, (group << 6) + trailing_zeros(live))
            live = opaque(record, live & (live - 1))
            if table_at(table, infos + (word << 6)) < best:
                hits = four_blocks(
                    table,
                    word,
                    blocks_at(source, summaries),
                    blocks_at(destination, summaries),
                    blocks_at(dport, summaries),
                    blocks_at(kind, summaries),
                )
                if asked:
                    hits &= block_word(table, blocks_at(sport, summaries), word)
                    hits &= block_word(table, blocks_at(context, summaries), word)
                if hits:
                    found = table_at(table, infos + (word << 6) + trailing_zeros(hits))
                    best = found if found < best else best
            best = opaque(record, best)
    return best
