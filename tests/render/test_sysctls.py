"""The tracker's settings as the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinwall.policy.model import FOLLOWED, Attach, Flows, Mode, Overlap, Policy, Timeout, Tracking
from twinwall.render.sysctls import FIXED, render_sysctls, sysctl_of, unsupported_tracking


def rendered(**settings):
    return {each.name: each.value for each in render_sysctls(Policy(tracking=Tracking(**settings)))}


def test_what_the_policy_says_is_set():
    found = rendered(timeouts=((Timeout.TCP_ESTABLISHED, 350.0),), tcp_loose=False, tcp_be_liberal=True, connections=1000)
    assert found["net.netfilter.nf_conntrack_tcp_timeout_established"] == "350"
    assert found["net.netfilter.nf_conntrack_tcp_loose"] == "0"
    assert found["net.netfilter.nf_conntrack_tcp_be_liberal"] == "1"
    assert found["net.netfilter.nf_conntrack_max"] == "1000"


def test_defaults_are_set_too():
    assert rendered()["net.netfilter.nf_conntrack_udp_timeout"] == "30"
    assert rendered()["net.ipv4.ipfrag_time"] == "30"


@pytest.mark.skipif(not Path("/proc/sys/net/netfilter/nf_conntrack_max").exists(), reason="no connection tracking here")
def test_the_kernel_has_every_setting():
    missing = [name for name in rendered() if not Path("/proc/sys", *name.split(".")).exists()]
    assert not missing


def test_every_timeout_has_a_setting_of_its_own():
    names = [sysctl_of(each) for each in Timeout if each not in FIXED and each not in FOLLOWED]
    assert len(set(names)) == len(names)


def test_a_bridge_shows_its_packets_to_the_ip_layer():
    policy = Policy(attach=Attach(Mode.BRIDGE, ("lan0",), ("wan0",)))
    found = {each.name: each.value for each in render_sysctls(policy)}
    assert found["net.bridge.bridge-nf-call-iptables"] == found["net.bridge.bridge-nf-filter-vlan-tagged"] == "1"
    assert not any("bridge" in name for name in rendered())


def test_a_host_lets_the_kernel_mark_its_answers():
    policy = Policy(attach=Attach(Mode.HOST, (), ("wan0",)))
    assert {each.name: each.value for each in render_sysctls(policy)}["net.ipv4.fwmark_reflect"] == "1"
    assert "net.ipv4.fwmark_reflect" not in rendered()


def test_a_kernel_without_ipv6_is_asked_for_nothing_of_it():
    settings = render_sysctls(Policy(attach=Attach(Mode.HOST, (), ("wan0",))))
    of_ipv6 = {each.name for each in settings if not each.required} & {each.name for each in settings if "6" in each.name}
    assert of_ipv6 == {each.name for each in settings if "6" in each.name}
    assert len(of_ipv6) == 3


@pytest.mark.parametrize(
    ("tracking", "what"),
    [
        (Tracking(flows=Flows.RULES), "tracking.flows"),
        (Tracking(overlap=Overlap.FIRST), "overlap: first"),
        (Tracking(datagrams=7), "datagrams"),
        (Tracking(tcp_max_retrans=256), "tcp_max_retrans: 256"),
        (Tracking(connections=1 << 31), "connections: 2,147,483,648"),
        (Tracking(timeouts=((Timeout.TCP_SYN_SENT2, 60.0),)), "timeouts.tcp_syn_sent2"),
        (Tracking(timeouts=((Timeout.UDP, 60.0), (Timeout.UDPLITE, 30.0))), "timeouts.udplite"),
        (Tracking(timeouts=((Timeout.ICMP, 1.5),)), "timeouts.icmp: 1.5"),
        (Tracking(timeouts=((Timeout.GENERIC, 1e7),)), "timeouts.generic: 10,000,000"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_linux_has_no_setting_for_is_refused(tracking, what):
    found = unsupported_tracking(Policy(tracking=tracking))
    assert len(found) == 1
    assert what in found[0].what
    assert found[0].remedy


def test_udplite_lives_as_long_as_udp_unless_the_policy_says_otherwise():
    assert not unsupported_tracking(Policy(tracking=Tracking(timeouts=((Timeout.UDP, 60.0),))))
    assert Tracking(timeouts=((Timeout.UDP, 60.0),)).seconds(Timeout.UDPLITE) == 60.0


def test_linux_defaults_are_never_refused():
    assert unsupported_tracking(Policy()) == ()
    assert unsupported_tracking(Policy(tracking=Tracking(tcp_max_retrans=255, flows=Flows.LINUX))) == ()
