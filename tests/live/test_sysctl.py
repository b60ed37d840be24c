"""Kernel settings of a namespace: written together, put back together."""

from __future__ import annotations

import pytest

from tests.live.namespace import in_namespace
from twinwall.live import sysctl
from twinwall.live.error import EnforcementError

LOOSE, TIMEOUT = "net.netfilter.nf_conntrack_tcp_loose", "net.netfilter.nf_conntrack_udp_timeout"
pytestmark = pytest.mark.kernel

namespace = pytest.fixture(in_namespace)


def test_old_values_are_remembered_and_put_back(namespace):
    before = sysctl.read(TIMEOUT)
    old = sysctl.write_all([(TIMEOUT, "7"), (LOOSE, sysctl.read(LOOSE))])
    assert sysctl.read(TIMEOUT) == "7"
    assert old == {TIMEOUT: before}, "what had its value already is not changed back later"
    assert sysctl.restore(old) == ()
    assert sysctl.read(TIMEOUT) == before


def test_all_or_none(namespace):
    before = sysctl.read(TIMEOUT)
    with pytest.raises(
        EnforcementError, match=r"set the kernel setting net.nothing.here to 1: .*\n    hint: the kernel does not"
    ):
        sysctl.write_all([(TIMEOUT, "7"), ("net.nothing.here", "1")])
    assert sysctl.read(TIMEOUT) == before


def test_a_value_that_the_kernel_does_not_take(namespace):
    with pytest.raises(EnforcementError, match="does not take this value"):
        sysctl.write(TIMEOUT, "many")


def test_what_cannot_be_put_back_does_not_keep_the_rest_from_it(namespace):
    failures = sysctl.restore({TIMEOUT: "9", "net.nothing.here": "1"})
    assert len(failures) == 1
    assert sysctl.read(TIMEOUT) == "9"


def test_an_unknown_setting_reads_as_none(namespace):
    assert sysctl.read("net.nothing.here") is None


def test_an_interface_with_a_dot(namespace):
    namespace.run("ip", "link", "add", "wan0.7", "type", "bridge")
    sysctl.write("net.ipv4.conf.wan0/7.forwarding", "1")
    assert sysctl.read("net.ipv4.conf.wan0/7.forwarding") == "1"
