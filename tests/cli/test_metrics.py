"""`twinwall metrics`: printed, served, written; and which addresses it takes."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess

import pytest

from tests.cli.running import PROGRAM, ROOT, twinwall
from tests.enforce.test_inspection import until
from tests.enforce.test_metrics import parse, value
from tests.enforce.watched import SHUT, sender, watched
from tests.live.namespace import namespace
from twinwall.cli.exit_codes import ExitCode

kernel = pytest.mark.kernel


@kernel
def test_they_are_printed_with_what_the_kernel_counted(tmp_path, monkeypatch, capsys):
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as there:
        with sender(there) as send:
            send(SHUT)
        capsys.readouterr()
        assert twinwall("metrics") == ExitCode.FINE
    found = parse(capsys.readouterr().out)
    assert value(found, "twinwall_rule_packets_total", stage="stateful", sid="101", action="drop") == 1
    assert value(found, "twinwall_in_force") == 1
    assert value(found, "twinwall_problems") == 0


@kernel
def test_they_are_served_until_it_is_stopped(tmp_path):
    with namespace() as made, made.entered():
        command = [*PROGRAM, "metrics", "--listen", "127.0.0.1:0", "--state", str(tmp_path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as running:
            port = int(re.fullmatch(r"metrics at http://127\.0\.0\.1:(\d+)/metrics\n", running.stderr.readline())[1])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/metrics")
            assert value(parse(connection.getresponse().read().decode()), "twinwall_in_force") == 0
            connection.close()
            running.send_signal(signal.SIGTERM)
            assert running.wait(10) == 0


@kernel
def test_they_are_written_into_a_file(tmp_path):
    path = tmp_path / "twinwall.prom"
    with namespace() as made, made.entered():
        assert twinwall("metrics", "--file", path, "--state", tmp_path) == ExitCode.FINE
    assert value(parse(path.read_text()), "twinwall_in_force") == 0


@kernel
def test_they_are_written_again_and_again(tmp_path):
    path = tmp_path / "twinwall.prom"
    with namespace() as made, made.entered():
        command = [*PROGRAM, "metrics", "--file", str(path), "--interval", "1s", "--state", str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT) as running:
            for _ in range(2):
                until(lambda: path.exists() or running.poll() is not None)
                path.unlink()
            running.send_signal(signal.SIGTERM)
            assert running.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--listen", "0.0.0.0:9776"), "add --expose if they may"),
        (("--listen", "[::]:9776"), "add --expose if they may"),
        (("--listen", "localhost:9776"), "no address and port"),
        (("--listen", "127.0.0.1"), "no address and port"),
        (("--listen", "127.0.0.1:70000"), "up to 65535"),
        (("--listen", "127.0.0.1:1", "--file", "x"), "exclude each other"),
        (("--interval", "5s"), "is for --file"),
        (("--expose",), "is for --listen"),
    ],
)
def test_what_makes_no_sense_is_refused(capsys, arguments, message):
    assert twinwall("metrics", *arguments) == ExitCode.USAGE
    assert message in capsys.readouterr().err
