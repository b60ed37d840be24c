"""Running any command for tests: in this process, or as a program of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twinwall.cli.exit_codes import run
from twinwall.cli.main import cli

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-c", "from twinwall.cli.main import main; main()"]


def twinwall(*arguments: object) -> int:
    """The exit code of a command in this process."""
    return run(cli, [str(each) for each in arguments])


def modules_after(*arguments: object) -> set[str]:
    """Which modules a command of its own leaves imported."""
    code = (
        "import sys\nfrom twinwall.cli.exit_codes import run\nfrom twinwall.cli.main import cli\n"
        "run(cli, sys.argv[1:])\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stderr.splitlines()[-1].split())


def write_policy(path: Path, rules: str, stage: str = "stateful") -> Path:
    """A policy file with one stage of rules."""
    lines = "".join(f"    {line.strip()}\n" for line in rules.strip().splitlines())
    path.write_text(f"twinwall: 1\n{stage}:\n  rules: |\n{lines}")
    return path
