from __future__ import annotations

import io
import os
import stat
import sys
from types import SimpleNamespace

import pytest

from twinwall.events.sink import OutputError, Sink


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    target = tmp_path / "out.csv"
    with Sink(target) as sink:
        sink.write(b"one\n")
        sink.flush()
        assert not target.exists()
    assert target.read_bytes() == b"one\n"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_failure_leaves_what_was_there_before(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("old")

    def fail() -> None:
        with Sink(target) as sink:
            sink.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_replaced_file_keeps_its_permissions_and_a_link_its_target(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    with Sink(link) as sink:
        sink.write(b"new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_new_file_has_the_permissions_that_the_user_s_mask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        with Sink(tmp_path / "out"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_a_dash_is_standard_output(capfdbinary):
    with Sink("-") as sink:
        sink.write(b"row\n")
    assert capfdbinary.readouterr().out == b"row\n"
    assert not sys.stdout.closed


def test_a_device_is_written_and_not_replaced():
    with Sink("/dev/null") as sink:
        sink.write(b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_full_disk_is_told_with_its_remedy():
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with pytest.raises(OutputError) as caught, Sink("/dev/full") as sink:
        sink.write(b"x")
    assert caught.value.path == "/dev/full"
    assert caught.value.cause == "No space left on device"
    assert "free some space" in caught.value.remedy
    assert str(caught.value).startswith("/dev/full: No space left on device")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"), Sink(tmp_path / "out") as sink:
        sink.write(b"x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("target", "cause", "remedy"),
    [
        ("missing/out.csv", "No such file or directory", "create the folder"),
        ("file/out.csv", "Not a directory", "a part of the path is a file"),
        ("folder", "Is a directory", "this is a folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_with_a_remedy(tmp_path, target, cause, remedy):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as caught:
        Sink(tmp_path / target)
    assert caught.value.path == str(tmp_path / target)
    assert caught.value.cause == cause
    assert remedy in caught.value.remedy


def test_a_folder_that_may_not_be_written_is_named_with_a_remedy(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError) as caught:
        Sink(tmp_path / "out")
    assert "may write to" in caught.value.remedy


@pytest.mark.parametrize(
    ("number", "remedy"), [(13, "may write to"), (30, "read-only"), (32, "went away"), (5, "check the path")]
)
def test_every_refusal_has_a_remedy(number, remedy):
    assert remedy in OutputError.of("out", OSError(number, os.strerror(number))).remedy


def test_a_reader_that_went_away_is_told(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    sink = Sink(pipe)
    os.close(reader)
    with pytest.raises(OutputError, match="went away"):
        sink.write(b"x")
    sink.discard()
    assert pipe.is_fifo()


def test_standard_output_that_cannot_be_flushed_is_told(monkeypatch):
    class Gone(io.BytesIO):
        def flush(self) -> None:
            raise BrokenPipeError(32, os.strerror(32))

    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=Gone()))
    sink = Sink("-")
    for complete in (sink.flush, sink.commit):
        with pytest.raises(OutputError, match="-: Broken pipe"):
            complete()
