"""The layouts: what the packet path composes by words and shifts, NumPy reads by name."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from twinwall.path import layout
from twinwall.path.layout import ALERT, ALERT_BYTES, DECISION, DECISION_BYTES, FRAME, FRAME_BYTES, RECORD, RECORD_BYTES

WORDS = {
    layout.W_KEY: [("sport", 16), ("dport", 16), ("proto", 8), ("version", 8), ("tcp_flags", 8), ("tcp_reserved", 8)],
    layout.W_PLACE: [("l3", 16), ("l4", 16), ("payload", 16), ("payload_length", 16)],
    layout.W_SEQ: [("seq", 32), ("ack", 32)],
    layout.W_HEADER: [("window", 16), ("ttl", 8), ("tos", 8), ("icmp_type", 8), ("icmp_code", 8), ("frag", 16)],
    layout.W_LENGTH: [("ip_id", 32), ("ip_length", 32)],
    layout.W_STATUS: [("reason", 8), ("marks", 8), ("ipopts", 16), ("vlan_count", 8), ("link", 8), ("vlan", 16)],
    layout.W_ICMP: [("icmp_id", 16), ("icmp_seq", 16), ("wscale", 8), ("tcp_options", 8), ("mss", 16)],
    layout.W_SACK: [("sack", 32), ("inner", 16), ("inner_kind", 8), ("interface", 8)],
    layout.W_FRAME: [("wire_length", 32), ("captured_length", 32)],
    layout.W_SCTP: [("vtag", 32), ("chunks", 32)],
    layout.W_LINK: [("ethertype", 16), ("extensions", 16)],
    **{getattr(layout, f"W_{name.upper()}"): [(name, 64)] for name in ("src_hi", "src_lo", "dst_hi", "dst_lo")},
}


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_the_record_is_the_fields_that_its_comment_names(word):
    words = np.zeros(layout.RECORD_WORDS, np.uint64)
    words[word] = value = 0x123456789ABCDEF0
    record = words.view(RECORD)[0]
    shift = 0
    for name, bits in WORDS[word]:
        assert record[name] == value >> shift & ((1 << bits) - 1), name
        shift += bits


def test_every_field_of_the_record_belongs_to_a_word():
    assert sorted(name for fields in WORDS.values() for name, _ in fields) == sorted(RECORD.names)
    assert layout.W_SCRATCH not in WORDS
    assert RECORD.itemsize == RECORD_BYTES == 8 * layout.RECORD_WORDS


@pytest.mark.parametrize(
    ("kind", "size"), [(RECORD, RECORD_BYTES), (FRAME, FRAME_BYTES), (DECISION, DECISION_BYTES), (ALERT, ALERT_BYTES)]
)
def test_fields_do_not_overlap_and_stand_where_the_processor_wants_them(kind, size):
    assert kind.itemsize == size
    places = sorted((offset, offset + field.itemsize) for field, offset, *_ in kind.fields.values())
    assert all(stop <= start for (_, stop), (start, _) in pairwise(places))
    assert all(start % (stop - start) == 0 for start, stop in places)


@pytest.mark.parametrize("prefix", ["MARK_", "IPOPT_", "TCPOPT_", "FRAG_"])
def test_marks_are_told_apart(prefix):
    bits = [value for name, value in vars(layout).items() if name.startswith(prefix)]
    assert len(bits) > 3
    assert sum(bits) == np.bitwise_or.reduce(bits)


@pytest.mark.parametrize("prefix", ["LINK_", "INNER_", "W_"])
def test_numbers_are_told_apart(prefix):
    numbers = [value for name, value in vars(layout).items() if name.startswith(prefix)]
    assert sorted(numbers) == list(range(len(numbers)))
