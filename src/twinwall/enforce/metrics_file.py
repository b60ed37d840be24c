"""Metrics in a file, for the node exporter's textfile collector: whole or not there, readable for everybody."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from twinwall.events.sink import OutputError

READABLE = 0o644  # the node exporter runs as somebody else


def write_metrics(path: Path, text: str) -> None:
    """Put `text` in the place of what is there.  Raises `OutputError`; what was there then still is."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")  # the collector reads names that end in .prom
    try:
        beside.write_text(text)
        beside.chmod(READABLE)
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise OutputError.of(str(path), error) from error
