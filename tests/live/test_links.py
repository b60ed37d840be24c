"""Interfaces as rtnetlink says them; what is attached is tested with the XDP stage."""

from __future__ import annotations

import pytest

from tests.live.wire import Wire
from tests.oracle.kernel import why_unavailable
from twinwall.live import links
from twinwall.live.error import EnforcementError
from twinwall.live.netlink import NetlinkError

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def wire():
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    with Wire(mtu=1400) as made:
        made.firewall.run("ip", "tuntap", "add", "tun0", "mode", "tun")
        yield made


def test_a_link_says_what_it_is(wire):
    found = links.link("fw0")
    assert (found.name, found.up, found.mtu, found.kind, found.xdp) == ("fw0", True, 1400, "veth", ())
    assert found.has_ethernet_header
    assert not links.link("tun0").has_ethernet_header
    assert not links.link("tun0").up


def test_all_links_are_listed(wire):
    listed = {each.name: each for each in links.links()}
    assert listed.keys() == {"lo", "fw0", "tun0"}
    assert listed["fw0"] == links.link("fw0")


@pytest.mark.parametrize("name", ["nothing0", "a-name-that-is-far-too-long", ""])
def test_a_name_that_no_interface_has(wire, name):
    with pytest.raises(EnforcementError, match=f"look for the interface {name}: .*\n    hint"):
        links.link(name)


def test_a_refused_program_is_said_with_the_mode(wire):
    with pytest.raises(NetlinkError, match=r"attach an XDP program \(native\) to interface \d+: Bad file descriptor"):
        links.set_xdp(links.link("fw0").index, links.XdpMode.NATIVE, 9999, None)


def test_news_say_what_an_interface_has_become(wire):
    with links.LinkEvents() as events:
        assert events.take() == links.LinkNews([], lost=False)
        wire.firewall.run("ip", "link", "set", "tun0", "mtu", "1234")
        news = events.take(10)
        assert (news.events[-1].link.name, news.events[-1].link.mtu, news.events[-1].present) == ("tun0", 1234, True)
