from __future__ import annotations

from pathlib import Path

from twinwall.lab.servers import ACCOUNT, STRANGER, add_account


def test_the_labs_account_stands_behind_the_machines(tmp_path):
    for privileged, number in ((True, 0), (False, STRANGER)):
        lines = add_account(tmp_path, privileged=privileged).read_text().splitlines()
        assert lines[:-1] == Path("/etc/passwd").read_text().splitlines()
        assert lines[-1] == f"{ACCOUNT}:x:{number}:{number}::{tmp_path}:/bin/sh"
