from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv6Address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events.batches import START, batch, decision, rule, tcp_record
from twinwall.engine.batch import COLUMNS, NO_PORT, NO_SID, RuleBook, address_text
from twinwall.path.layout import NO_RULE

MADE = batch(
    [
        decision(1, rule=0, verdict=1, established=1, direction=0, ct_state=1, flow_id=3),
        decision(2, stage=0, established=2, direction=2),
    ],
    [tcp_record(), {}],
    rules=RuleBook((), (rule(77),)),
)


def test_columns_are_arrays_with_one_value_a_packet():
    columns = {name: MADE.column(name).tolist() for name in COLUMNS if name != "ts"}
    assert columns == {
        "packet": [1, 2], "verdict": ["drop", "pass"], "stage": ["stateful", "stateless"], "reason": ["no_rule", "no_rule"],
        "sid": [77, NO_SID], "ct_state": ["NEW", ""], "established": ["true", ""], "direction": ["original", ""],
        "flow_id": [3, 0], "src": ["10.0.0.5", ""], "sport": [40000, NO_PORT], "dst": ["198.51.100.7", ""],
        "dport": [443, NO_PORT], "proto": ["tcp", ""], "length": [60, 60],
    }  # fmt: skip
    assert MADE.column("ts")[0] == np.datetime64(START, "ns")
    with pytest.raises(KeyError):
        MADE.column("nonsense")


def test_arrow_has_the_same_columns_with_nulls():
    pytest.importorskip("pyarrow")
    arrow = MADE.to_arrow()
    assert arrow.schema.names == list(COLUMNS)
    rows = arrow.drop_columns(["ts"]).to_pylist()
    assert rows[0]["established"] is True
    assert [name for name, value in rows[1].items() if value is None] == [
        "sid", "ct_state", "established", "direction", "flow_id", "src", "sport", "dst", "dport", "proto",
    ]  # fmt: skip


def test_frames_are_found_in_the_buffer_that_holds_them():
    made = batch([decision(n) for n in (1, 2, 3)], [{}] * 3, frames=[{"offset": 1, "captured_length": 2}] * 3)
    old, new = (np.frombuffer(text, dtype=np.uint8) for text in (b"abcd", b"wxyz"))
    made = dataclasses.replace(made, buffers=((0, old), (2, new)))
    assert [made.frame_bytes(row) for row in range(3)] == [b"bc", b"bc", b"xy"]
    assert (len(made), made.row_of(3)) == (3, 2)


def test_a_rule_book_looks_rules_up_by_stage():
    book = RuleBook((rule(1),), (rule(2),))
    assert book.rule(0, 0).sid == 1
    assert book.rule(1, 0).sid == 2
    assert book.rule(1, NO_RULE) is None


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1))
def test_addresses_in_words(v4, v6):
    assert address_text(4, 0, v4) == str(IPv4Address(v4))
    assert address_text(6, v6 >> 64, v6 & (2**64 - 1)) == str(IPv6Address(v6))
    assert address_text(0, 0, 0) == ""
