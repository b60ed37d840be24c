"""A machine on which IPv6 is switched off, or that has none: the same ruleset, of which the IPv6 part never sees a packet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.enforce.world import World
from tests.live.namespace import why_unavailable

pytestmark = pytest.mark.kernel

PROGRAM = str(Path(sys.executable).with_name("twinwall"))
HIDDEN = 'mount -t tmpfs none /proc/sys/net/ipv6 && exec "$@"'  # in a mount namespace of the command's own


@pytest.fixture
def world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        for name in ("all", "default"):
            made.router.run("sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6")
        yield made


def test_a_policy_is_applied_and_seen_where_ipv6_is_disabled(world):
    world.apply("a")
    assert world.enforced() == "a"
    assert "gateway" in world.twinwall("status")
    assert world.twinwall("guard", "--once") == ""


def test_a_policy_is_applied_where_the_kernel_has_no_ipv6_settings(world, tmp_path):
    policy = tmp_path / "host.yaml"
    policy.write_text("twinwall: 1\nattach: {mode: host, outside: [out0]}\nstateful: {order: strict, default: [drop_strict]}\n")

    def twinwall(*arguments):
        inside = ["nsenter", f"--net={world.router.path}", "unshare", "--mount", "sh", "-c", HIDDEN, "sh"]
        command = [*inside, PROGRAM, *arguments, "--state", world.state]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    applied = twinwall("apply", str(policy), "--yes")
    assert (applied.returncode, "net.ipv6" in applied.stdout) == (0, False), applied.stderr
    assert world.router.run("cat", "/proc/sys/net/ipv4/fwmark_reflect", "/proc/sys/net/ipv6/fwmark_reflect").split() == [
        "1",
        "0",
    ]
    assert twinwall("stop", "--yes").returncode == 0
