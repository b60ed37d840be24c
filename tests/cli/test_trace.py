"""`twinwall trace` as a program: it waits, tells, and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from tests.cli.running import PROGRAM, ROOT, twinwall
from tests.enforce.test_inspection import until
from tests.enforce.watched import ALONE, HERE, OPEN, SHUT, THERE, sender, watched
from tests.live.kernel import ebpf_or_skip
from twinwall.cli.exit_codes import ExitCode

pytestmark = pytest.mark.kernel


@pytest.fixture
def there(tmp_path, monkeypatch, capsys):
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as made:
        capsys.readouterr()
        yield made


def tables():
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


def tracing(*words):
    running = subprocess.Popen([*PROGRAM, "trace", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    until(lambda: "twinwall_trace" in tables() or running.poll() is not None)
    return running


def test_it_ends_after_so_many_packets_and_leaves_nothing(there):
    with tracing("--count", "2", "--for", "60s", "--json", "udp") as running, sender(there) as send:
        send(OPEN)
        send(SHUT)
        told = [json.loads(line) for line in running.stdout]
        assert running.wait(10) == 0
    assert [(each["verdict"], each["rule"]["sid"]) for each in told] == [("pass", 100), ("drop", 101)]
    assert {step["table"] for step in told[0]["steps"]} >= {"inet twinwall"}
    assert "trace" not in tables()


def test_people_read_explains_words(there):
    with tracing("--count", "1", "--for", "60s", f"udp > :{SHUT}") as running, sender(there) as send:
        port = send(SHUT)
        text = running.stdout.read()
        assert running.wait(10) == 0
    assert text.splitlines()[0] == f"udp {THERE}:{port} > {HERE}:{SHUT}"
    assert '\n  verdict    drop by stateful rule 101 "shut", for the whole flow\n' in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_stopped_and_says_that_nothing_came(there, number):
    with tracing("--for", "60s", "sctp") as running:
        running.send_signal(number)
        assert running.wait(10) == 0
        assert running.stderr.read() == "no packet came that matches\n"
    assert "trace" not in tables()


def test_a_packet_is_put_to_the_running_program(tmp_path, monkeypatch, capsys):
    ebpf_or_skip()
    with watched(tmp_path, monkeypatch, "--stateless", "xdp"):
        capsys.readouterr()
        assert twinwall("trace", "--for", "1s", "--json", f"udp {THERE}:5 > {HERE}:{ALONE}") == ExitCode.FINE
    told = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (told["verdict"], told["rule"]["sid"]) == ("drop", 10)


def test_without_xdp_a_packet_is_a_filter_for_its_like(there, capsys):
    with sender(there) as send:
        port = send(OPEN)
        with tracing("--count", "1", "--for", "60s", "--json", f"udp {THERE}:{port} > {HERE}:{SHUT}") as running:
            send(SHUT)
            assert json.loads(running.stdout.readline())["rule"]["sid"] == 101
            assert running.wait(10) == 0
            assert "no XDP program of ours runs on fw0; such packets are traced when they come" in running.stderr.read()


def test_a_filter_that_is_not_understood_is_a_mistake_of_the_command_line(there, capsys):
    assert twinwall("trace", "tcp", "nonsense") == ExitCode.USAGE
    assert "hint: a filter is written like" in capsys.readouterr().err
