"""Make the virtual environment `.venv` of this checkout from the lock files, and nothing else.

    python3 tools/environment.py run|dev|fuzz

Promises: does nothing, quietly, when the environment is already right; makes it anew when a lock file, the project's own
metadata, the Python or the place of the checkout changed, and when an earlier run was interrupted; two runs at once wait for
each other.  Needs only Python's standard library, with `venv` (on Debian: the package python3-venv).

The stamp `.venv/.made` is written last and removed first, so that it exists only beside a complete environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv"
STAMP = PLACE / ".made"
OLDEST = (3, 11)

# What each kind of environment installs, in order; a later kind contains the earlier ones.
LOCKS = {
    "run": ["requirements.lock"],
    "dev": ["requirements-dev.lock"],
    "fuzz": ["requirements-dev.lock", "requirements-fuzz.lock"],
}


class SetupError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def fingerprint(kind: str) -> str:
    """One value for everything that an environment of this kind depends on."""
    import tomllib  # noqa: PLC0415  older Pythons lack it, and `supported` must be able to say so

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = [sys.version, str(PLACE), json.dumps([project["build-system"], project["project"]], sort_keys=True)]
    parts += [(ROOT / name).read_text() for name in LOCKS[kind]]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_made(kind: str) -> bool:
    """Whether `.venv` is an unbroken environment of this kind or of a larger one, made from today's locks."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        made = json.loads(STAMP.read_text())
        larger = list(LOCKS)[list(LOCKS).index(kind) :]
        return made["kind"] in larger and made["fingerprint"] == fingerprint(made["kind"]) and (PLACE / "bin/python").exists()
    return False


def supported() -> None:
    """Refuse a Python that is too old or that cannot make environments."""
    if sys.version_info < OLDEST:
        raise SetupError(
            f"Python {'.'.join(map(str, OLDEST))} or newer is needed, this is {sys.version.split()[0]}.\n"
            "If a newer one is installed, name it: make PYTHON=python3.12 …"
        )
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: F401, PLC0415
    except ImportError:
        raise SetupError(
            "This Python cannot make virtual environments.\nOn Debian and Ubuntu: apt-get install python3-venv"
        ) from None


def step(words: list[str | Path], what: str) -> None:
    """Run one command; its output is shown only when it fails."""
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    quiet.pop("PYTHONPATH", None)
    run = subprocess.run(words, cwd=ROOT, env=quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode != 0:
        raise SetupError(f"{what} failed:\n{run.stdout.rstrip()}")


def make(kind: str) -> None:
    """Make the environment from nothing."""
    shutil.rmtree(PLACE, ignore_errors=True)
    step([sys.executable, "-m", "venv", PLACE], "Making the virtual environment (on Debian: apt-get install python3-venv)")
    pip: list[str | Path] = [PLACE / "bin/python", "-m", "pip", "install", "--quiet"]
    for lock in LOCKS[kind]:
        step([*pip, "--no-deps", "--require-hashes", "-r", lock], f"Installing {lock} (the package index must be reachable)")
    step([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], "Installing twinwall itself")


def ensure(kind: str) -> None:
    """Bring `.venv` to the wanted kind; a larger environment that is still right is kept."""
    if is_made(kind):
        return
    supported()
    with (ROOT / ".venv.lock").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)
        if is_made(kind):  # another run made it meanwhile
            return
        sys.stderr.write(f"Making .venv from {' and '.join(LOCKS[kind])} …\n")
        STAMP.unlink(missing_ok=True)
        value = fingerprint(kind)
        make(kind)
        STAMP.write_text(json.dumps({"kind": kind, "fingerprint": value}))


def main() -> int:
    """Exit 0: the environment is there; 1: it could not be made; 2: wrong call; 130: interrupted."""
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        sys.stderr.write(f"usage: environment.py {'|'.join(LOCKS)}\n")
        return 2
    try:
        if sys.version_info < OLDEST:
            supported()
        ensure(sys.argv[1])
    except SetupError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; the next run starts over.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
