from __future__ import annotations

import contextlib
import os
import pty
import subprocess

import pytest

from tests.cli.running import PROGRAM, write_policy
from tests.engine.world import World, stateful
from twinwall.cli.explanation import show

SYN = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"
RULE = 'drop tcp any any -> any 443 (msg:"a message that is longer than the line has room for it to be"; sid:1;)'


@pytest.mark.parametrize("columns", [60, 80, 100, 300])
def test_it_fits_the_terminal(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    show([World(stateful(RULE)).story(SYN)], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    assert any(line.startswith("  verdict    drop") for line in lines)


def test_a_place_is_shown_once_and_a_section_once(capsys):
    show([World(stateful(RULE)).story(SYN)], as_json=False)
    printed = capsys.readouterr().out
    assert printed.count("test.yaml:6") == 1
    assert printed.count("  stateful ") == 1


def test_stories_are_apart(capsys):
    story = World("").story(SYN)
    show([story, story], as_json=False)
    assert capsys.readouterr().out.count("\n\ntold\n") == 1


@pytest.mark.parametrize(("wish", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_follows_the_terminal(tmp_path, wish, coloured):
    policy = write_policy(tmp_path / "p.yaml", RULE)
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | wish
    with subprocess.Popen([*PROGRAM, "explain", str(policy), SYN], stdout=theirs, env=environment) as process:
        os.close(theirs)
        printed = b""
        with contextlib.suppress(OSError):  # the other side has gone: that is its end
            while part := os.read(ours, 4096):
                printed += part
    os.close(ours)
    assert process.returncode == 0
    assert (b"\x1b[31m" in printed) == coloured
    assert b"verdict" in printed
