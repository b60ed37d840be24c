"""Which interfaces a netdev chain hangs on."""

from __future__ import annotations

import subprocess

import pytest

from tests.live.namespace import namespace
from twinwall.live.netdev_hook import hooked_devices
from twinwall.live.nft import Table

pytestmark = pytest.mark.kernel
OURS = Table("netdev", "twinwall_1")
HOOK = "type filter hook ingress {} priority 0; policy accept;"


@pytest.mark.parametrize(("devices", "names"), [('devices = { "v0", "v1" }', {"v0", "v1"}), ('device "v0"', {"v0"})])
def test_all_of_them_are_named(devices, names):
    with namespace() as made, made.entered():
        made.run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        table = f"table netdev twinwall_1 {{\n\tchain ingress {{\n\t\t{HOOK.format(devices)}\n\t}}\n}}\n"
        subprocess.run(["nft", "-f", "-"], input=table, text=True, check=True)
        assert hooked_devices(OURS, "ingress") == names


def test_a_chain_that_is_not_there_hangs_nowhere():
    with namespace() as made, made.entered():
        assert hooked_devices(OURS, "ingress") == frozenset()
