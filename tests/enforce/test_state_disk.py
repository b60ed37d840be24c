"""The commands on a state folder whose file system is full or read-only, with the real kernel: what they say, and what stays.

The steps in between are gone through one by one in `test_full_disk`.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import traceback
from pathlib import Path

import pytest

from tests.enforce.world import World
from tests.live.namespace import why_unavailable
from twinwall.enforce.state import State

pytestmark = pytest.mark.kernel
CLONE_NEWNS = 0x00020000
KERNEL = 5  # the exit code: refused, and nothing was changed


def apart(test):
    """Run `test` in a process with mounts of its own, which end with it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) == 0:
                subprocess.run(["mount", "--make-rprivate", "/"], check=True)
                test()
                code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


class Disk:
    """A small file system for the state folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=2M,mode=700", "none")

    def _mount(self, *arguments):
        subprocess.run(["mount", *arguments, str(self.folder)], check=True)

    def spoil(self, fault):
        if fault == "read-only":
            # On top, because the file system itself stays writable as long as a watchdog has its lock open.
            self._mount("--bind", str(self.folder))
            self._mount("-o", "remount,bind,ro")
            return
        with (self.folder / "filler").open("wb", buffering=0) as stream:
            try:
                while stream.write(bytes(4096)):
                    pass
            except OSError:
                return

    def repair(self, fault):
        if fault == "read-only":
            subprocess.run(["umount", str(self.folder)], check=True)
        else:
            (self.folder / "filler").unlink()


CAUSES = {"full": "No space left on device", "read-only": "Read-only file system"}
REMEDIES = {"full": "hint: free some space", "read-only": "hint: make the file system writable"}


@pytest.mark.parametrize("fault", CAUSES)
def test_what_cannot_be_recorded_is_refused_and_a_trial_can_always_be_taken_back(fault):
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as world:
        apart(lambda: through(world, fault))


def through(world, fault):
    disk = Disk(world.state)

    def refused(*command):
        said = world.twinwall(*command, *(["--yes"] if command[0] != "confirm" else []), expect=KERNEL)
        assert CAUSES[fault] in said
        assert world.state in said
        assert REMEDIES[fault] in said

    disk.spoil(fault)
    refused("apply", world.policies["a"])
    assert world.enforced() == "nothing"
    disk.repair(fault)

    world.apply("a")
    disk.spoil(fault)
    refused("apply", world.policies["b"])
    refused("apply", world.policies["b"], "--confirm-within", "1h")
    refused("stop")
    assert world.enforced() == "a"
    assert world.twinwall("plan", world.policies["b"], expect=6)
    world.twinwall("guard", "--once")
    disk.repair(fault)
    assert world.twinwall("status").splitlines()[1] == "at boot     this policy"

    world.apply("b", "--confirm-within", "1h")
    disk.spoil(fault)
    refused("confirm")
    assert world.enforced() == "b"
    said = world.twinwall("rollback", "--yes")
    assert said.startswith("restored: ")
    assert REMEDIES[fault] in said
    assert world.enforced() == "a"
    disk.repair(fault)

    world.apply("b")
    disk.spoil(fault)
    refused("rollback")
    assert world.enforced() == "b"
    disk.repair(fault)
    world.twinwall("rollback", "--yes")
    assert world.enforced() == "a"
    assert State(world.state).pending() is None
    assert world.programs().keys() == {"in0", "out0"}


@pytest.mark.parametrize("fault", CAUSES)
def test_a_start_that_cannot_be_recorded_loads_what_is_on_record_or_closes_the_machine(fault):
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as world:
        apart(lambda: start(world, fault))


BARE = "nft delete table inet twinwall; ip link set in0 xdp off; ip link set out0 xdp off"


def start(world, fault):
    disk = Disk(world.state)
    world.apply("a")
    world.apply("b")
    world.router.run("sh", "-c", BARE)
    disk.spoil(fault)
    said = world.twinwall("boot")
    assert CAUSES[fault] in said
    assert "warning: loaded as it was before the start" in said
    assert world.enforced() == "b"
    world.twinwall("status")
    disk.repair(fault)
    world.apply("a")

    State(world.state).set_current(None)  # nobody knows what was in force
    world.router.run("sh", "-c", BARE)
    disk.spoil(fault)
    said = world.twinwall("boot", expect=KERNEL)
    assert CAUSES[fault] in said
    assert "nothing passes now" in said
    assert world.passes(0.3) is None
    disk.repair(fault)
    world.twinwall("boot")
    assert world.enforced() == "a"


@pytest.mark.parametrize(("fault", "way"), [("full", "xdp"), ("read-only", "nft")])
def test_the_guard_puts_right_what_it_cannot_write_down(fault, way):
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as world:
        apart(lambda: guarded(world, fault, way))


DAMAGES = {
    "xdp": ("nft flush ruleset", "nft insert rule inet twinwall forward accept", "ip link set in0 xdp off"),
    "nft": ("nft flush ruleset", "nft insert rule inet twinwall forward accept", "nft delete table netdev twinwall_0"),
}


def guarded(world, fault, way):
    disk = Disk(world.state)
    world.apply("b")
    world.apply("a", "--stateless", way)
    disk.spoil(fault)
    for damage in DAMAGES[way]:
        world.router.run("sh", "-ec", damage)
        said = world.twinwall("guard", "--once", expect=7)
        assert CAUSES[fault] in said
        assert "put right: " in said
        assert world.enforced() == "a"
    world.twinwall("status")
    disk.repair(fault)
    world.twinwall("rollback", "--yes")
    assert world.enforced() == "b"
