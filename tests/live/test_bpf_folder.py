"""A BPF file system is found, or mounted where there is none."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.live.kernel import ebpf_or_skip
from twinwall.live import bpf_folder
from twinwall.live.bpf import BpfError
from twinwall.live.bpf_maps import ARRAY, Map
from twinwall.live.error import EnforcementError

pytestmark = pytest.mark.kernel


@pytest.fixture
def folder(tmp_path, monkeypatch):
    ebpf_or_skip()
    made = tmp_path / "bpf"
    made.mkdir()
    monkeypatch.setattr(bpf_folder, "FOLDER", made)
    yield made
    while os.path.ismount(made):
        subprocess.run(["umount", made], check=True)


def test_it_is_mounted_once(folder):
    assert bpf_folder.pin_folder() == folder
    device = folder.stat().st_dev
    assert bpf_folder.pin_folder() == folder
    assert folder.stat().st_dev == device
    subprocess.run(["umount", folder], check=True)
    assert not os.path.ismount(folder)


def test_a_map_gets_a_name_there_once(folder):
    with Map.create(ARRAY, 8, 1, name="named") as array:
        path = bpf_folder.pin_folder() / "a_name"
        array.pin(str(path))
        assert path.exists()
        with pytest.raises(BpfError, match=r"pin a map at .*a_name: File exists"):
            array.pin(str(path))
        path.unlink()


def test_where_it_cannot_be_mounted_the_remedy_is_said(folder, monkeypatch):
    monkeypatch.setattr(bpf_folder, "FOLDER", folder / "nothing")
    with pytest.raises(EnforcementError, match=r"mounting one fails: No such file or directory\n    hint: mount one: `mount"):
        bpf_folder.pin_folder()
