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


# What Debian's has to do with ours: it begins with `flush ruleset`, before the network is up, and ends with it.
NFTABLES = """[Unit]
Description=nftables
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
DefaultDependencies=no

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true

[Install]
WantedBy=sysinit.target
"""


def verified(folder):
    """What systemd says of the units in a folder, started together."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(folder.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def written(tmp_path):
    for name, text in units("/bin/true", "/var/lib/twinwall", "/root").items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_systemd_understands_them(written):
    done = verified(written)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "twinwall" in line]) == (0, []), done.stderr


def orders(text, key):
    return {word for line in text.splitlines() if line.startswith(f"{key}=") for word in line.partition("=")[2].split()}


def test_the_policy_is_loaded_behind_what_flushes_every_ruleset_and_before_the_network(written):
    (written / "nftables.service").write_text(NFTABLES)
    done = verified(written)
    assert (done.returncode, "cycle" in done.stderr) == (0, False), done.stderr
    boot = UNITS["twinwall.service"]
    assert "nftables.service" in orders(boot, "After")
    assert "nftables.service" not in orders(boot, "Before") | orders(boot, "Conflicts") | orders(boot, "Requires")
    assert {"network-pre.target"} <= orders(boot, "Before") & orders(NFTABLES, "Before")
    assert orders(boot, "Wants") == {"network-pre.target"}, "a target that is only waited for has to be asked for"
