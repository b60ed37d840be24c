"""Objects on disk: found again, never half."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinwall.targets.object_cache import cache_folder, fingerprint, keep, kept


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"TWINWALL_CACHE": "/one", "XDG_CACHE_HOME": "/two"}, Path("/one")),
        ({"XDG_CACHE_HOME": "/two"}, Path("/two/twinwall")),
        ({"HOME": "/house"}, Path("/house/.cache/twinwall")),
    ],
)
def test_where_objects_are_kept(monkeypatch, environment, folder):
    for name in ("TWINWALL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == folder


def test_what_is_kept_is_found_and_what_is_damaged_is_not(tmp_path):
    path = tmp_path / "below" / "object"
    assert kept(path) is None
    keep(path, b"machine code")
    assert kept(path) == b"machine code"
    for damaged in (path.read_bytes()[:-1], b"x" + path.read_bytes()[1:], b""):
        path.write_bytes(damaged)
        assert kept(path) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    keep(tmp_path / "file" / "object", b"machine code")
    assert kept(tmp_path / "file" / "object") is None


def test_the_target_is_part_of_the_key():
    def function(value: int) -> int:
        return value

    assert fingerprint({"f": function}, "one") != fingerprint({"f": function}, "another")
    assert fingerprint({"f": function}, "one") != fingerprint({"g": function}, "one")
    assert fingerprint({"f": function}, "one") == fingerprint({"f": function}, "one")
