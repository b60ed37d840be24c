"""The file for the node exporter."""

from __future__ import annotations

import stat

import pytest

from twinwall.enforce.metrics_file import write_metrics
from twinwall.events.sink import OutputError


def test_the_file_is_replaced_and_everybody_may_read_it(tmp_path):
    path = tmp_path / "twinwall.prom"
    write_metrics(path, "one 1\n")
    write_metrics(path, "two 2\n")
    assert path.read_text() == "two 2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["twinwall.prom"]


def test_what_was_there_stays_if_it_cannot_be_replaced(tmp_path):
    path = tmp_path / "twinwall.prom"
    path.mkdir()
    with pytest.raises(OutputError, match=r"twinwall\.prom"):
        write_metrics(path, "one 1\n")
    assert [each.name for each in tmp_path.iterdir()] == ["twinwall.prom"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError, match="create the folder first"):
        write_metrics(tmp_path / "no" / "twinwall.prom", "one 1\n")
