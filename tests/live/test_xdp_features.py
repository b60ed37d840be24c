from __future__ import annotations

import pytest

from tests.live.namespace import in_namespace
from twinwall.live import xdp_features
from twinwall.live.links import link
from twinwall.live.netlink import NetlinkError
from twinwall.live.xdp_features import native_xdp

namespace = pytest.fixture(in_namespace)


@pytest.mark.kernel
def test_the_driver_says_what_it_can(namespace):
    namespace.run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "out0")
    namespace.run("ip", "link", "add", "br0", "type", "bridge")
    assert native_xdp(link("in0").index) is True
    assert native_xdp(link("br0").index) is False


@pytest.mark.kernel
def test_an_interface_that_is_not_there(namespace):
    with pytest.raises(NetlinkError):
        native_xdp(4711)


@pytest.mark.kernel
def test_an_older_kernel_does_not_say(namespace, monkeypatch):
    monkeypatch.setattr(xdp_features, "FAMILY", "no such family")
    assert native_xdp(link("lo").index) is None
