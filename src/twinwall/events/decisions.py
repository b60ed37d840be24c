"""One row a packet: `--decisions FILE`, CSV or, where the name ends in `.parquet` or `.pq`, Parquet.

The columns are `engine.batch.COLUMNS` in both.  CSV: RFC 4180 with line feeds; nothing needs quoting, because no value holds
a comma, a quote or a line feed; what does not apply is empty; `ts` is decimal seconds since 1970 with nine digits.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twinwall.engine.batch import COLUMNS, NO_SID, DecisionBatch, arrow_schema
from twinwall.events.sink import OutputError, Sink

if TYPE_CHECKING:
    import pyarrow.parquet as pq
    from typing_extensions import Buffer

PARQUET_SUFFIXES = (".parquet", ".pq")
ROW_GROUP = 1 << 17  # rows that are held back until a Parquet row group is worth writing

HEADER = (",".join(COLUMNS) + "\n").encode()

# The text of every port, so that a column of them is one lookup; the last one, which index -1 names, is no port.
_PORTS = np.array([*map(str, range(65536)), ""], dtype=object)


def seconds_text(timestamps: NDArray[np.uint64]) -> list[str]:
    """Nanoseconds since 1970 as decimal seconds with nine digits, exactly."""
    seconds, rest = np.divmod(timestamps, np.uint64(1_000_000_000))
    return [f"{whole}.{part:09d}" for whole, part in zip(seconds.tolist(), rest.tolist(), strict=True)]


def _cells(batch: DecisionBatch, name: str) -> Iterable[str]:
    if name == "ts":
        return seconds_text(batch.decisions["timestamp"])
    values = batch.column(name)
    if values.dtype == object:
        return list(values)
    if name in ("sport", "dport"):
        return list(_PORTS[values])
    if name in ("sid", "flow_id"):
        return ["" if value == NO_SID else str(value) for value in values.tolist()]
    return map(str, values.tolist())


def csv_rows(batch: DecisionBatch) -> bytes:
    """The batch's rows, without a header line."""
    rows = zip(*(_cells(batch, name) for name in COLUMNS), strict=True)
    return "".join([f"{line}\n" for line in map(",".join, rows)]).encode()


class DecisionWriter(Protocol):
    """Takes batches; as a context manager, completes the file or, on an exception, leaves none."""

    def write(self, batch: DecisionBatch) -> None:
        """Append the batch's rows."""

    def __enter__(self) -> DecisionWriter: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def open_decisions(target: str | Path) -> DecisionWriter:
    """A writer for the target (`-`: CSV on standard output), in the format that its name asks for.

    Raises `OutputError` if it cannot be written, or if Parquet is asked for without PyArrow.
    """
    if Path(target).suffix.lower() in PARQUET_SUFFIXES:
        return ParquetDecisions(target)
    return CsvDecisions(target)


class CsvDecisions:
    """Decisions as CSV."""

    def __init__(self, target: str | Path) -> None:
        self._sink = Sink(target)
        self._sink.write(HEADER)

    def write(self, batch: DecisionBatch) -> None:
        """Append the batch's rows."""
        self._sink.write(csv_rows(batch))

    def __enter__(self) -> CsvDecisions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sink.__exit__(kind, error, trace)


class ParquetDecisions:
    """Decisions as Parquet (Zstandard), in row groups of about `ROW_GROUP` rows."""

    def __init__(self, target: str | Path) -> None:
        parquet = _parquet(str(target))  # before the sink: nothing is created if it is missing
        self._sink = Sink(target)
        self._file = _SinkFile(self._sink)
        self._writer: pq.ParquetWriter = parquet.ParquetWriter(self._file, arrow_schema(), compression="zstd")
        self._held: list[object] = []
        self._rows = 0

    def write(self, batch: DecisionBatch) -> None:
        """Append the batch's rows."""
        self._held.append(batch.to_arrow())
        self._rows += len(batch)
        if self._rows >= ROW_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to import

        self._writer.write_table(pa.Table.from_batches(self._held, schema=arrow_schema()).unify_dictionaries())
        self._held, self._rows = [], 0

    def __enter__(self) -> ParquetDecisions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._discard()
            return
        try:
            if self._rows:
                self._write_group()
            self._writer.close()
        except BaseException:  # Ctrl-C too: half a file must not take the place of a whole one
            self._discard()
            raise
        self._sink.commit()

    def _discard(self) -> None:
        self._sink.discard()
        self._file.abandoned = True  # PyArrow writes its footer all the same, now or when it is collected
        self._writer.close()


class _SinkFile(RawIOBase):
    """A sink as the kind of file that PyArrow writes to; closing it leaves the sink open, to be committed."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self.abandoned = False

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data).cast("B")
        return len(view) if self.abandoned else self._sink.write(view)


def _parquet(path: str) -> Any:  # noqa: ANN401 - a module
    try:
        import pyarrow.parquet  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError as error:
        remedy = "install the extra: pip install 'twinwall[arrow]', or name a .csv file"
        raise OutputError(path, "Parquet needs PyArrow, which is not installed", remedy) from error
    return pyarrow.parquet
