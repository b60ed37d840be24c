"""EVE: one JSON object a line, with Suricata 7.0's field names, formats and order (`--eve FILE`).

Records stand in the order of their packets: a packet's alerts, then its drop; then the connections that ended with the batch,
`flow` before `netflow`.  One `stats` record ends the file.
"""

from __future__ import annotations

from heapq import merge
from operator import itemgetter
from pathlib import Path
from types import TracebackType

import orjson

from twinwall.engine.batch import DecisionBatch
from twinwall.events.alert import alert_records
from twinwall.events.drop import drop_records
from twinwall.events.flow import flow_record, netflow_records
from twinwall.events.packet import JsonObject
from twinwall.events.rows import flow_rows
from twinwall.events.sink import Sink
from twinwall.events.stats import Statistics


def batch_records(batch: DecisionBatch) -> list[JsonObject]:
    """Every record that the batch gives rise to."""
    records = list(merge(alert_records(batch), drop_records(batch), key=itemgetter("pcap_cnt")))
    for flow in flow_rows(batch):
        records.append(flow_record(flow))
        records += netflow_records(flow)
    return records


def json_lines(records: list[JsonObject]) -> bytes:
    """The records as lines of JSON."""
    return b"".join([orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records])


class EveWriter:
    """Writes batches as EVE; as a context manager, completes the file or, on an exception, leaves none."""

    def __init__(self, target: str | Path) -> None:
        self._sink = Sink(target)
        self._statistics = Statistics()

    def write(self, batch: DecisionBatch) -> None:
        """Append the batch's records."""
        self._statistics.add(batch)
        self._sink.write(json_lines(batch_records(batch)))

    def __enter__(self) -> EveWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            try:
                self._sink.write(json_lines([self._statistics.record()]))
            except BaseException:  # Ctrl-C too: half a file must not take the place of a whole one
                self._sink.discard()
                raise
        self._sink.__exit__(kind, error, trace)
