import pytest

from twinwall.rules import disk
from twinwall.rules.disk import Folder


def test_files_are_found_beside_the_policy_and_read_without_their_mark(tmp_path):
    for name in ("b.rules", "a.rules", "c.txt"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbftext")
    (tmp_path / "folder.rules").mkdir()
    folder = Folder(str(tmp_path / "policy.yaml"))
    found = folder.find_files("*.rules")
    assert found == [str(tmp_path / "a.rules"), str(tmp_path / "b.rules")]
    assert folder.open_file(found[0]) == "text"


def test_a_file_larger_than_any_policy_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "LARGEST", 2)
    (tmp_path / "x").write_bytes(bytes(9))
    with pytest.raises(OSError, match="larger than"):
        Folder("policy.yaml").open_file(str(tmp_path / "x"))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        Folder("policy.yaml").open_file(str(tmp_path / "x"))
