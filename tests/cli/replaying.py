"""Running `twinwall replay` for tests: in this process, or as a program of its own."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from twinwall.cli.exit_codes import run
from twinwall.cli.main import cli

ROOT = Path(__file__).parents[2]
POLICY = str(ROOT / "examples" / "office" / "policy.yaml")
TRAFFIC = str(ROOT / "examples" / "office" / "traffic.pcapng")
PROGRAM = [sys.executable, "-c", "from twinwall.cli.main import main; main()"]


def replay(*arguments: object, policy: str = POLICY) -> int:
    """The exit code of a replay in this process."""
    return run(cli, ["replay", policy, *map(str, arguments)])


def program(*arguments: object, policy: str = POLICY, **more) -> subprocess.CompletedProcess:
    """A replay as a program."""
    command = [*PROGRAM, "replay", policy, *map(str, arguments)]
    return subprocess.run(command, check=False, cwd=ROOT, **({"capture_output": True} | more))


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV of decisions."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
