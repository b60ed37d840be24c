from __future__ import annotations

import csv
import io
import sys
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.events.batches import START, batch, decision, rule, tcp_record
from twinwall.engine.batch import COLUMNS, RuleBook
from twinwall.events.decisions import HEADER, csv_rows, open_decisions, seconds_text
from twinwall.events.sink import OutputError, Sink
from twinwall.path.layout import MARK_IP, MARK_PORTS, NO_RULE
from twinwall.path.reason import CtState, Direction, Reason, StageName, Verdict

RULES = RuleBook(stateless=(rule(10),), stateful=(rule(200), rule(4_000_000_000)))


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((HEADER + data).decode())))


def test_a_row_says_what_the_issue_asks_for():
    row = batch(
        [decision(7, verdict=1, reason=71, rule=1, ct_state=2, established=1, direction=1, flow_id=9, length=1500)],
        [tcp_record()],
        rules=RULES,
    )
    assert HEADER.decode() == (
        "packet,ts,verdict,stage,reason,sid,ct_state,established,direction,flow_id,src,sport,dst,dport,proto,length\n"
    )
    assert csv_rows(row).decode() == (
        "7,1767225600.123456789,drop,stateful,rule_flow,4000000000,ESTABLISHED,true,reply,9,"
        "10.0.0.5,40000,198.51.100.7,443,tcp,1500\n"
    )


def test_what_does_not_apply_is_empty():
    frame = batch([decision(stage=0, reason=1, established=2, direction=2)], [{}], rules=RULES)
    assert csv_rows(frame).decode() == "1,1767225600.123456789,pass,stateless,not_ip,,,,,,,,,,,60\n"


def test_ports_of_icmp_are_empty_and_ipv6_is_short():
    echo = tcp_record(version=6, src_hi=0x20010DB8 << 32, src_lo=1, proto=58, marks=MARK_IP)
    row = read(csv_rows(batch([decision()], [echo], rules=RULES)))[0]
    assert (row["src"], row["sport"], row["dport"], row["proto"]) == ("2001:db8::1", "", "", "icmpv6")


def test_a_rule_is_looked_up_in_its_own_stage():
    both = batch([decision(1, stage=0, rule=0), decision(2, stage=1, rule=0)], [tcp_record()] * 2, rules=RULES)
    assert [row["sid"] for row in read(csv_rows(both))] == ["10", "200"]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_seconds_are_exact(timestamps):
    texts = seconds_text(np.array(timestamps, dtype=np.uint64))
    assert [int(Decimal(text) * 10**9) for text in texts] == timestamps
    assert all(len(text.split(".")[1]) == 9 for text in texts)


decisions = st.fixed_dictionaries({
    "packet": st.integers(1, 2**63), "timestamp": st.integers(0, 2**63 - 1), "flow_id": st.integers(0, 2**64 - 1),
    "rule": st.sampled_from([0, NO_RULE]), "length": st.integers(0, 2**32 - 1), "verdict": st.sampled_from(Verdict),
    "stage": st.sampled_from(StageName), "reason": st.sampled_from(Reason), "ct_state": st.sampled_from(CtState),
    "direction": st.sampled_from(Direction), "established": st.integers(0, 2),
})  # fmt: skip
records = st.fixed_dictionaries({
    "version": st.sampled_from([0, 4, 6]), "src_hi": st.integers(0, 2**64 - 1), "src_lo": st.integers(0, 2**32 - 1),
    "dst_lo": st.integers(0, 2**32 - 1), "sport": st.integers(0, 65535), "dport": st.integers(0, 65535),
    "proto": st.integers(0, 255), "marks": st.sampled_from([MARK_IP, MARK_IP | MARK_PORTS]),
})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(decisions, records), min_size=1, max_size=8))
def test_parquet_and_csv_say_the_same(tmp_path_factory, packets):
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path_factory.mktemp("decisions")
    made = batch([each for each, _ in packets], [each for _, each in packets], rules=RULES)
    for name in ("d.csv", "d.parquet"):
        with open_decisions(folder / name) as writer:
            writer.write(made)
            writer.write(made)
    rows = list(csv.DictReader(io.StringIO((folder / "d.csv").read_text())))
    table = parquet.read_table(folder / "d.parquet")
    table = table.set_column(1, "ts", table["ts"].cast("int64"))
    columns = table.to_pydict()
    assert list(columns) == list(COLUMNS)
    assert len(rows) == 2 * len(packets)

    def text(name: str, value: object) -> str:
        if name == "ts":
            return f"{value // 10**9}.{value % 10**9:09d}"
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    for name in COLUMNS:
        assert [row[name] for row in rows] == [text(name, value) for value in columns[name]]


def test_parquet_keeps_every_row_group(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("twinwall.events.decisions.ROW_GROUP", 2)
    with open_decisions(tmp_path / "d.parquet") as writer:
        for first in (1, 3, 5):
            writer.write(batch([decision(first), decision(first + 1)], [tcp_record()] * 2))
    table = parquet.ParquetFile(tmp_path / "d.parquet")
    assert table.num_row_groups == 3
    assert table.read()["packet"].to_pylist() == [1, 2, 3, 4, 5, 6]
    assert str(table.schema_arrow.field("ts").type) == "timestamp[ns, tz=UTC]"


def test_without_pyarrow_parquet_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(OutputError, match=r"twinwall\[arrow\]"):
        open_decisions(tmp_path / "d.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["d.csv", "d.parquet"])
def test_an_interrupted_run_leaves_no_file(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")

    def interrupted() -> None:
        with open_decisions(tmp_path / name) as writer:
            writer.write(batch([decision()], [tcp_record()]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_while_writing_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    link = tmp_path / "full.parquet"
    link.symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"), open_decisions(link) as writer:
        writer.write(batch([decision(timestamp=START)], [tcp_record()]))


def test_a_disk_that_fills_up_leaves_no_half_of_a_parquet_file(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")

    def full(self: Sink, data: bytes) -> int:
        raise OutputError.of(self.path, OSError(28, "No space left on device"))

    def filled_up() -> None:
        with open_decisions(tmp_path / "d.parquet") as writer:
            writer.write(batch([decision()], [tcp_record()]))
            monkeypatch.setattr(Sink, "write", full)

    with pytest.raises(OutputError, match="No space left"):
        filled_up()
    assert list(tmp_path.iterdir()) == []
