"""A plan says what would change in the kernel, and what one should know before."""

from types import SimpleNamespace

import pytest

from tests.enforce.rig import plan_of
from twinwall.enforce.outline import NOTHING
from twinwall.enforce.plan import count_objects, plan
from twinwall.live.links import Link

ETHERNET = 1


class FakeMachine:
    """Interfaces and settings of memory."""

    def __init__(self, *names, settings=None, running=None):
        self._links = tuple(Link(index, name, ETHERNET, True, 1500, "", ()) for index, name in enumerate(names, 1))
        self._settings = settings
        self._running = running or {}

    def links(self):
        return self._links

    def setting(self, name):
        return None if self._settings is None else self._settings.get(name, "30")

    def running(self):
        return self._running


def made(generation=1, port=443):
    blueprint = plan_of(generation, port)
    blueprint.__dict__["ruleset"] = SimpleNamespace(text=RULESET)
    return blueprint


RULESET = """table inet twinwall
delete table inet twinwall
table inet twinwall {
\tcounter drop_invalid {
\t}
\tset flow_hits {
\t\telements = { 0x1 comment "sid 1", 0x2 comment "sid 2" }
\t}
\tmap m0 {
\t\telements = {
\t\t\t10.0.0.0/8 . 80 comment "sid 1" : 0x1,
\t\t\t10.0.0.0/9 . 81 comment "sid 1" : 0x1
\t\t}
\t}
\tchain forward {
\t}
\tchain input {
\t}
}
"""


def test_objects_are_counted():
    found = count_objects(RULESET)
    assert found.kinds == {"table": 1, "counter": 1, "set": 1, "map": 1, "chain": 2}
    assert found.elements == 4


def test_the_first_policy():
    found = plan(None, NOTHING, made(), FakeMachine("lo", "in0", "out0"))
    assert found.changes
    assert found.difference.counts == {"added": 1}
    assert [(each.name, each.before, each.after) for each in found.interfaces] == [("in0", "", "xdp"), ("out0", "", "xdp")]
    assert found.warnings == ()


def test_nothing_changes_where_the_same_is_in_force():
    old, new = made(1), made(2)
    machine = FakeMachine("in0", "out0", running={"in0": "native", "out0": "generic"})
    machine.setting = lambda name: next(each.value for each in new.settings if each.name == name) if "nf_" in name else "1"
    found = plan(old, old.outline, new, machine)
    assert [(each.before, each.after) for each in found.interfaces] == [("native", "native"), ("generic", "generic")]
    assert found.sysctls == () or all("nf_" not in each.name for each in found.sysctls)
    assert not found.difference
    assert plan(old, old.outline, new, machine, damaged=True).changes


def test_no_policy_leaves_interfaces_alone():
    old = made()
    found = plan(old, old.outline, None, FakeMachine("in0", "out0", running={"in0": "native", "out0": "native"}))
    assert found.changes
    assert {each.after for each in found.interfaces} == {""}
    assert not plan(None, NOTHING, None, FakeMachine()).changes


def test_settings_that_the_kernel_has_otherwise_are_listed():
    found = plan(None, NOTHING, made(), FakeMachine("in0", "out0", settings={}))
    changed = {each.name: (each.before, each.after) for each in found.sysctls}
    assert changed["net.netfilter.nf_conntrack_tcp_timeout_established"] == ("30", "432000")
    assert "net.netfilter.nf_conntrack_udp_timeout" not in changed


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (FakeMachine("in0"), "out0 does not exist"),
        (FakeMachine("in0", "out0", "eth7"), "eth7 is up and not attached"),
        (FakeMachine("in0", "out0", settings={"net.ipv4.ip_forward": "0"}), "does not forward IPv4:"),
    ],
)
def test_what_one_should_know(machine, words):
    warnings = plan(None, NOTHING, made(), machine).warnings
    assert len([each for each in warnings if words in each]) == 1


def test_a_missing_interface_is_said_in_its_row():
    found = plan(None, NOTHING, made(), FakeMachine("in0"))
    assert [(each.name, each.after) for each in found.interfaces] == [("in0", "xdp"), ("out0", "missing")]
