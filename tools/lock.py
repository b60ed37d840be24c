"""Write the lock files anew: the newest versions that pyproject.toml allows, with the hashes of all their files.

    .venv/bin/python tools/lock.py

`requirements-dev.lock` is solved first, the others under its choices, so that one environment can grow into the next.
The solver runs in an environment of its own under build/.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOLVER = "pip-tools==7.6.2"
OPTIONS = [
    "--quiet", "--upgrade", "--generate-hashes", "--strip-extras", "--allow-unsafe", "--no-annotate", "--no-header",
    "--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options",
]  # fmt: skip


def wanted() -> dict[str, list[str]]:
    """What each lock file starts from.  `editables` is what the build back end asks for when it installs a checkout."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = document["dependency-groups"]
    run = [*document["project"]["dependencies"], *document["build-system"]["requires"], "editables>=0.5"]
    return {
        "requirements-dev.lock": [*run, *groups["dev"]],
        "requirements.lock": run,
        "requirements-fuzz.lock": groups["fuzz"],
    }


def solve(solver: Path, target: Path, requirements: list[str], constraint: Path | None) -> None:
    """Write one lock file."""
    limit = ["--constraint", str(constraint)] if constraint else []
    command = [str(solver / "bin/pip-compile"), *OPTIONS, *limit, "--output-file", str(target), "-"]
    subprocess.run(command, input="\n".join(requirements), text=True, check=True, cwd=ROOT)
    head = "# Written by tools/lock.py (make lock) from pyproject.toml; not by hand.\n"
    target.write_text(head + target.read_text())


def main() -> int:
    """Write every lock file; the solver's own words tell what went wrong."""
    solver = ROOT / "build" / "solver"
    venv.create(solver, with_pip=True)
    subprocess.run([solver / "bin/python", "-m", "pip", "install", "--quiet", SOLVER], check=True)
    first: Path | None = None
    for name, requirements in wanted().items():
        solve(solver, ROOT / name, requirements, first)
        first = first or ROOT / name
    return 0


if __name__ == "__main__":
    sys.exit(main())
