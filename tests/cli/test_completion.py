from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.cli.running import twinwall


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell, capsys):
    assert twinwall("completion", shell) == 0
    assert "_TWINWALL_COMPLETE" in capsys.readouterr().out


def test_an_unknown_shell(capsys):
    assert twinwall("completion", "csh") == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


@pytest.fixture
def asked(tmp_path):
    """Asks bash itself: what its completion makes of the words of a line."""
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    program = tmp_path / "twinwall"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from twinwall.cli.main import main; main()" "$@"\n')
    program.chmod(0o755)

    def ask(*words: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in ("twinwall", *words))
        script = (
            "source <(twinwall completion bash)\n"
            f"COMP_WORDS=({line}); COMP_CWORD={len(words)}\n"
            '_twinwall_completion twinwall "${COMP_WORDS[COMP_CWORD]}"\nprintf "%s\\n" "${COMPREPLY[@]}"'
        )
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    return ask


def test_commands_and_their_options_complete(asked):
    assert asked("ex") == ["explain"]
    assert asked("replay", "--ex") == ["--explain"]
    assert {"--then", "--json"} <= set(asked("explain", "--"))
    assert asked("completion", "z") == ["zsh"]
