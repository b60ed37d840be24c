"""Where the lab can be built at all, and how to be somebody without privileges."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from twinwall.lab.places import found, program
from twinwall.lab.world import find_ground
from twinwall.live.error import EnforcementError
from twinwall.targets.object_cache import cache_folder

ROOT = Path(__file__).parents[2]
NOBODY = 65534
LIMIT = 60  # seconds that a test's world may take
BEGIN = """
import json
from twinwall.lab.places import Site
from twinwall.lab.worker import FOLDER, settle_in

settle_in(privileged=True)
site = Site("lan0", "wan0")
def pings(place, to, count=2):
    return site.place(place).attempt(["ping", "-q", "-c", str(count), "-i", "0.05", "-W", "0.3", to]).returncode == 0
"""
TOOLS = ("ip", "nft", "ethtool", "ss", "mount")  # what no lab can do without


def lab_or_skip() -> None:
    """Skip the test where there is no ground for a world."""
    missing = [name for name in TOOLS if program(name) is None]
    if missing:
        pytest.skip(f"needs the programs {', '.join(missing)}")
    try:
        find_ground()
    except EnforcementError as error:
        pytest.skip(error.cause)


def in_a_world(code: str, begin: str = BEGIN) -> object:
    """What a program prints, as JSON, that runs alone in a world: with a site and `pings`, unless it begins otherwise."""
    lab_or_skip()
    if program("ping") is None:
        pytest.skip("needs the program ping")
    command = [found("unshare"), *find_ground().flags, sys.executable, "-c", begin + code]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def hidden_by(path: Path) -> Path | None:
    """The topmost folder above `path` that only its owner may enter."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 1), None)


def as_nobody(folder: Path) -> tuple[list[str], dict[str, str]]:
    """A command line's beginning and the environment with which the rest of it runs as nobody; `folder` is for the cache."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    cache = folder / "cache"
    shutil.copytree(cache_folder(), cache) if cache_folder().exists() else cache.mkdir()
    for path in (cache, *cache.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    shown = [path for path in (Path(sys.base_prefix), ROOT, Path(sys.prefix), folder) if hidden_by(path)]
    script = ["set -e", "mount -t tmpfs tmpfs /mnt"]
    script += [f"mkdir -p /mnt{path} && mount --bind {path} /mnt{path}" for path in shown]
    script += [f"mount -t tmpfs -o mode=755 tmpfs {hidden}" for hidden in {hidden_by(path) for path in shown}]
    script += [f"mkdir -p {path} && mount --bind /mnt{path} {path}" for path in shown]
    script.append(f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "$@"')
    # As most people's: without the folders of root's programs.
    environment = {**os.environ, "TWINWALL_CACHE": str(cache), "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    return ["unshare", "--mount", "sh", "-c", "\n".join(script), "sh"], environment
