"""`twinwall status`: what people and programs are told, and the exit code."""

from __future__ import annotations

import json
import signal
import socket
import subprocess

import pytest

from tests.cli.running import PROGRAM, ROOT, twinwall
from tests.enforce.watched import HERE, OPEN, SHUT, sender, watched
from tests.live.namespace import namespace
from twinwall.cli.exit_codes import ExitCode

pytestmark = pytest.mark.kernel


@pytest.fixture
def there(tmp_path, monkeypatch, capsys):
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as made:
        with sender(made) as send, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind((HERE, OPEN))
            for port in (OPEN, SHUT, SHUT):
                send(port)
        capsys.readouterr()
        yield made


def test_people_are_told_what_is_in_force_and_what_it_counted(there, capsys):
    assert twinwall("status") == ExitCode.FINE
    lines = capsys.readouterr().out.splitlines()
    assert any("policy.yaml" in line and "generation 1, in force since" in line for line in lines)
    assert "at boot     this policy" in lines
    assert "interface   fw0: stateless stage in nft" in lines
    assert "log         group 1776: nobody reads it" in lines
    (shut,) = (line for line in lines if 'msg:"shut"' in line)
    assert shut.split()[:3] == ["stateful", "101", "2"]
    assert not any('msg:"never"' in line for line in lines)
    assert lines[-1] == "5 rules, 3 of them have matched nothing so far; --rules shows all"


def test_every_rule_is_shown_in_its_order_if_asked_for(there, capsys):
    assert twinwall("status", "--rules") == ExitCode.FINE
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split()[:2] for line in lines if line.startswith(("stateless ", "stateful ")) and "sid:" in line]
    assert rows == [["stateless", "10"], ["stateless", "11"], ["stateful", "100"], ["stateful", "101"], ["stateful", "102"]]


def test_programs_are_told_the_same(there, capsys):
    assert twinwall("status", "--json") == ExitCode.FINE
    told = json.loads(capsys.readouterr().out)
    assert (told["in_force"], told["mode"], told["problems"]) == (True, "host", [])
    assert {rule["sid"]: rule["packets"] for rule in told["rules"]} == {10: 0, 11: 0, 100: 1, 101: 2, 102: 0}
    assert told["policy"]["digest"] == told["confirmed"]["digest"]


def test_a_problem_is_said_first_and_is_an_exit_code(there, capsys):
    subprocess.run(["nft", "delete table inet twinwall"], check=True)
    assert twinwall("status") == ExitCode.FOUND
    first, hint = capsys.readouterr().out.splitlines()[:2]
    assert first.startswith("PROBLEM: nothing is enforced, though ")
    assert hint.startswith("    hint: `twinwall boot`")


def test_nothing_in_force_is_said(tmp_path, capsys):
    with namespace() as made, made.entered():
        assert twinwall("status", "--state", tmp_path) == ExitCode.FOUND
    assert capsys.readouterr().out.startswith("PROBLEM: no policy is in force\n    hint: put one in force with")


def test_what_this_machine_can_do_is_said(capsys):
    assert twinwall("status", "--kernel", "--json") == ExitCode.FINE
    told = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert set(told["eBPF"]) == {"name", "answer", "seen", "otherwise"}
    assert twinwall("status", "--kernel") == ExitCode.FINE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["this", "machine", "can", "without", "it"]
    assert len(lines) == 1 + len(told)


def test_it_looks_again_until_it_is_stopped(there):
    command = [*PROGRAM, "status", "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        assert json.loads(running.stdout.readline())["in_force"]
        assert json.loads(running.stdout.readline())["in_force"]
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
