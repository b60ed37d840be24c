from __future__ import annotations

from importlib import import_module

import click
import pytest

from tests.cli.running import modules_after, twinwall
from twinwall.cli.main import COMMANDS
from twinwall.version import __version__


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    assert isinstance(import_module(f"twinwall.cli.{name}").command, click.Command)
    assert twinwall(name, "--help") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"Usage: twinwall {name}")


def test_help_names_the_commands_and_imports_none_of_them(capsys):
    assert twinwall("-h") == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)
    loaded = modules_after("--help")
    assert not {f"twinwall.cli.{name}" for name in COMMANDS} & loaded
    assert "numpy" not in loaded


def test_version(capsys):
    assert twinwall("--version") == 0
    assert capsys.readouterr().out == f"twinwall {__version__}\n"


def test_an_unknown_command(capsys):
    assert twinwall("nonsense") == 2
    assert "nonsense" in capsys.readouterr().err
