import gzip
import io
import os

import pytest

from twinwall.capture.error import CaptureError
from twinwall.capture.source import RawInput, is_regular, open_source


def test_what_was_looked_at_in_advance_is_read_again():
    raw = RawInput(io.BytesIO(b"abcdef"))
    assert raw.peek(4) == b"abcd"
    assert (raw.read(2), raw.read(10), raw.read(10), raw.read(10)) == (b"ab", b"cd", b"ef", b"")
    assert raw.taken == 6


def test_a_compressed_file_is_opened_as_what_it_holds(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(b"inside"))
    source = open_source(str(tmp_path / "x"))
    target = bytearray(10)
    assert source.stream.readinto(memoryview(target)) == 6
    source.close()
    assert source.raw.file.closed


def test_what_cannot_be_opened_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(CaptureError, match="No such file"):
        open_source(str(tmp_path / "none"))


def test_only_files_can_be_opened_twice(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"")
    assert [is_regular(str(tmp_path / name)) for name in ("pipe", "file", "none")] == [False, True, False]
    assert not is_regular("-")
