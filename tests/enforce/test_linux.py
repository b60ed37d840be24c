"""What `LinuxKernel` does to tables that other commands have left."""

from __future__ import annotations

import pytest

from tests.enforce.test_reload import Gateway
from tests.enforce.world import in_world
from twinwall.live import nft
from twinwall.live.netdev_hook import hooked_devices
from twinwall.render.stateless import table_name

pytestmark = pytest.mark.kernel


world = pytest.fixture(in_world)


def test_a_netdev_table_that_was_left_hangs_nowhere_when_it_is_removed(world, monkeypatch):
    """Packets on their way through one that goes with its hook would find it emptied, and be dropped."""
    gateway = Gateway(world, "nft")
    gateway.change(0)
    with world.router.entered():
        new = gateway.next(1)
        gateway.kernel.prepare(new)  # and killed, before the switch
        left = nft.Table("netdev", table_name(new.force.generation))
        assert hooked_devices(left, "ingress") == {"in0", "out0"}
        removed = []
        load = nft.load

        def watched(script, keep_open=()):
            if f"delete table netdev {left.name}\n" in script:
                removed.append(hooked_devices(left, "ingress"))
            load(script, keep_open)

        monkeypatch.setattr(nft, "load", watched)
        gateway.kernel.prepare(new)
        assert removed == [frozenset()]
        assert hooked_devices(left, "ingress") == {"in0", "out0"}
        gateway.kernel.switch(new)
        assert gateway.kernel.marker() == new.marker
    gateway.now = new
    gateway.stop()
