"""What a plan asks of the machine, of a network namespace of its own."""

from __future__ import annotations

import pytest

from tests.enforce.test_blueprint import made
from tests.live.kernel import ebpf_or_skip
from tests.live.namespace import in_namespace
from twinwall.enforce.machine import LinuxMachine
from twinwall.enforce.programs import Programs
from twinwall.live.links import links

pytestmark = pytest.mark.kernel
space = pytest.fixture(in_namespace)


@pytest.fixture
def machine(space):
    space.run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "out0")
    return LinuxMachine(Programs())


def test_interfaces_and_settings_are_those_of_the_namespace(machine, space):
    assert {each.name for each in machine.links()} == {"lo", "in0", "out0"}
    space.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    assert machine.setting("net.ipv4.ip_forward") == "1"
    assert machine.setting("net.ipv4.no_such_setting") is None


def test_finding_out_whether_xdp_can_attaches_nothing(machine):
    ebpf_or_skip()
    assert machine.stateless(made()) == ""
    assert machine.running() == {}
    assert [each.name for each in links() if each.xdp] == []


def test_a_policy_without_inspect_rules_needs_no_queue(machine):
    assert machine.queue(made().policy) == "none"
