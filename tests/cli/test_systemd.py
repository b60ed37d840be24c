"""The units: they name this program and this state folder, and systemd understands them."""

import shutil
import subprocess

import pytest

from tests.cli.running import twinwall
from twinwall.cli import systemd
from twinwall.cli.systemd import UNITS, units


def test_they_are_printed(capsys):
    assert twinwall("systemd", "--state", "/srv/state") == 0
    printed = capsys.readouterr().out
    assert "boot --state /srv/state" in printed
    assert "Before=network-pre.target" in printed
    assert "guard --state /srv/state" in printed
    assert "inspect --state /srv/state" in printed


def test_what_runs_all_the_time_is_always_started_again():
    """systemd gives up a unit that died five times in ten seconds, unless it is told not to."""
    running = {name: text for name, text in UNITS.items() if "Type=oneshot" not in text}
    assert set(running) == {"twinwall-guard.service", "twinwall-inspect.service"}
    for text in running.values():
        assert {"Restart=always", "StartLimitIntervalSec=0", "After=twinwall.service"} <= set(text.splitlines())


def test_they_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(systemd, "FOLDER", tmp_path)
    assert twinwall("systemd", "--install") == 0
    assert {path.name for path in tmp_path.iterdir()} == set(UNITS)
    assert (tmp_path / "twinwall.service").stat().st_mode & 0o777 == 0o644
    assert "wrote" in capsys.readouterr().out


def test_systemd_understands_them(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    for name, text in units("/bin/true", "/var/lib/twinwall", "/root").items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "twinwall" in line]) == (0, []), done.stderr
