"""Files are complete or not there, also on a disk that is full."""

import errno
import os

import pytest

from twinwall.enforce import disk
from twinwall.live.error import EnforcementError


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    disk.write_whole(path, b"old")

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(EnforcementError, match="No space left") as caught:
        disk.write_whole(path, b"new")
    assert "free some space" in caught.value.remedy
    with pytest.raises(EnforcementError, match="No space left"):
        disk.append_line(tmp_path / "log", b"line")
    assert path.read_bytes() == b"old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "log"]


def test_a_write_that_takes_part_is_continued(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:2])))
    disk.write_whole(tmp_path / "file", b"abcdefg")
    assert (tmp_path / "file").read_bytes() == b"abcdefg"


@pytest.mark.parametrize(("number", "remedy"), [(errno.EROFS, "writable"), (errno.EACCES, "root"), (errno.EIO, "disk")])
def test_refusals_say_what_to_do(number, remedy):
    assert remedy in disk.refusal("write", OSError(number, os.strerror(number))).remedy


def test_reading_and_removing_what_is_not_there(tmp_path):
    assert disk.read_whole(tmp_path / "nothing") is None
    disk.remove(tmp_path / "nothing")
    with pytest.raises(EnforcementError):
        disk.read_whole(tmp_path)
    with pytest.raises(EnforcementError):
        disk.remove(tmp_path)


def test_what_a_killed_process_was_writing_is_removed_and_nothing_else(tmp_path, monkeypatch):
    disk.write_whole(tmp_path / "whole.new", b"content")
    with monkeypatch.context() as killed:
        killed.setattr(os, "fsync", lambda _: os._exit(0))
        child = os.fork()
        if child == 0:
            disk.write_whole(tmp_path / "file", b"content")
        os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 2
    disk.remove_unfinished(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["whole.new"]
