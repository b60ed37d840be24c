"""`twinwall connections` with real connections, in a namespace of the test's own."""

from __future__ import annotations

import json
import select
import subprocess

import pytest

from tests.cli.running import PROGRAM, ROOT, twinwall
from tests.live.namespace import namespace
from tests.live.test_conntrack import TRACKING, talking

kernel = pytest.mark.kernel


@pytest.fixture
def space(tmp_path, monkeypatch):
    monkeypatch.setenv("TWINWALL_STATE", str(tmp_path))
    with namespace() as made, made.entered():
        made.run("nft", "-f", "-", text=TRACKING)
        made.run("sh", "-c", "echo 1 > /proc/sys/net/netfilter/nf_conntrack_acct")
        yield made


@kernel
def test_connections_are_listed_and_filtered(space, capsys):
    with talking() as (four, _), talking("6") as (six, _):
        assert twinwall("connections") == 0
        everything = capsys.readouterr().out
        assert twinwall("connections", "tcp", "[::1]") == 0
        chosen = capsys.readouterr().out
    assert f"127.0.0.1:{four}" in everything
    assert f"[::1]:{six}" in everything
    assert "2 of 2 connections; the table has room for " in everything
    assert f"127.0.0.1:{four}" not in chosen
    assert "1 of 2 connections" in chosen


@kernel
def test_nothing_to_list_is_said(space, capsys):
    assert twinwall("connections", "udp") == 0
    assert capsys.readouterr().out.startswith("0 of 0 connections")


@kernel
def test_json_for_programs(space, capsys):
    with talking() as (client, _):
        assert twinwall("connections", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["entries"] == 1
    (connection,) = printed["connections"]
    assert (connection["client"], connection["state"]) == (f"127.0.0.1:{client}", "ESTABLISHED")
    assert connection["to_server"]["packets"] >= 3


@kernel
def test_connections_are_ended(space, capsys):
    with talking(), talking("6"):
        assert twinwall("connections", "--kill", "127.0.0.1") == 0
        assert capsys.readouterr().out == "1 connection ended\n"
        assert twinwall("connections", "--kill", "any", "--json") == 0
        assert json.loads(capsys.readouterr().out) == {"ended": 1}


@kernel
@pytest.mark.parametrize("arguments", [["--follow"], ["--follow", "--json"]])
def test_changes_are_followed_until_it_is_stopped(space, arguments):
    command = [*PROGRAM, "connections", "tcp", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as running:
        first = None
        while first is None:  # until it listens, and as often as it takes
            with talking() as (client, _):
                first = readable(running.stdout)
        running.terminate()
        rest = running.stdout.read()
        assert running.wait(10) == 0
    if "--json" in arguments:
        assert json.loads(first)["event"] == "new"
    else:
        assert first.startswith("new     tcp 127.0.0.1:")
        assert f"127.0.0.1:{client}" in first + rest


def readable(stream):
    return stream.readline() if select.select([stream], [], [], 0.3)[0] else None


@kernel
def test_the_top_view_is_plain_in_a_pipe(space):
    with talking() as (client, _):
        command = [*PROGRAM, "connections", "--top"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
            head, row, count = (running.stdout.readline() for _ in range(3))
            running.terminate()
            running.stdout.read()
            assert running.wait(10) == 0
    assert head.startswith("protocol")
    assert f"127.0.0.1:{client}" in row
    assert count == "1 connection\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--kill"], "--kill needs a filter"),
        (["--kill", "--top", "any"], "exclude each other"),
        (["--top", "--json"], "--top is for people"),
        (["tcp", "ESTABLISHD"], "'ESTABLISHD': no part of a filter"),
        (["sid", "5"], "name their policy with --policy"),
    ],
)
def test_a_wrong_command_line_changes_nothing(arguments, complaint, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TWINWALL_STATE", str(tmp_path))
    assert twinwall("connections", *arguments) == 2
    assert complaint in capsys.readouterr().err
