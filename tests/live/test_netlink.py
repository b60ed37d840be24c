"""Netlink: what is encoded is decoded, and the kernel's answers, refusals and losses arrive."""

from __future__ import annotations

import errno
import struct
import sys

import pytest

from tests.live.namespace import namespace
from twinwall.live import netlink

kernel = pytest.mark.kernel

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
IFLA_IFNAME, IFLA_LINKINFO, INFO_KIND = 3, 18, 1
LINK_GROUP = 1


def link(*attributes, index=0):
    return struct.pack("=BxHiII", 0, 0, index, 0, 0) + b"".join(attributes)


def named(name):
    return link(netlink.text(IFLA_IFNAME, name), netlink.nested(IFLA_LINKINFO, netlink.attribute(INFO_KIND, b"bridge")))


def test_attributes_come_back_as_they_were_written():
    data = netlink.attribute(1, b"abc") + netlink.nested(2, netlink.text(7, "eth0"), netlink.attribute(9, b"")) + b"\1"
    assert netlink.attributes(data)[1] == b"abc"
    assert netlink.attributes(netlink.attributes(data)[2]) == {7: b"eth0\0", 9: b""}
    assert len(netlink.attribute(1, b"abcde")) == 12


@pytest.mark.parametrize("broken", [b"\3\0\1\0", b"\x10\0\1\0abc", b"\4\0\1"])
def test_a_broken_attribute_ends_the_list(broken):
    assert netlink.attributes(netlink.attribute(5, b"fine") + broken) == {5: b"fine"}


def test_messages_come_back_and_a_cut_one_is_left_out():
    data = netlink.encode(16, 1, 7, b"abc") + netlink.encode(17, 2, 8, b"")
    assert [(each.kind, each.flags, each.sequence, each.payload) for each in netlink.decode(data)] == [
        (16, 1, 7, b"abc"),
        (17, 2, 8, b""),
    ]
    assert [each.kind for each in netlink.decode(data[:-1])] == [16]


def test_the_kernels_own_words_are_read_from_an_error():
    said = netlink.text(netlink.ERROR_TEXT, "no such thing")
    payload = (-errno.ENOENT).to_bytes(4, sys.byteorder, signed=True) + bytes(16) + said
    message = netlink.Message(netlink.ERROR, netlink.CAPPED | netlink.ACK_ATTRIBUTES, 1, payload)
    refused = netlink.refusal("find it", message)
    assert refused.number == errno.ENOENT
    assert str(refused).startswith("find it: No such file or directory: no such thing\n    hint: ")
    assert netlink.refusal("find it", netlink.Message(netlink.ERROR, 0, 1, bytes(20))) is None


@kernel
def test_a_request_is_done_and_a_dump_lists_it():
    with namespace() as space, space.entered(), netlink.NetlinkSocket(netlink.NETLINK_ROUTE) as route:
        route.request("add a link", RTM_NEWLINK, named("one"), netlink.CREATE | netlink.EXCLUSIVE)
        links = [netlink.attributes(each.payload, 16)[IFLA_IFNAME] for each in route.dump("list links", RTM_GETLINK, link())]
    assert links[0] == b"lo\0"
    assert b"one\0" in links


@kernel
def test_a_refusal_says_what_was_tried_and_why_not():
    with namespace() as space, space.entered(), netlink.NetlinkSocket(netlink.NETLINK_ROUTE) as route:
        with pytest.raises(netlink.NetlinkError, match="delete link 77: No such device") as refused:
            route.request("delete link 77", RTM_DELLINK, link(index=77))
        assert refused.value.number == errno.ENODEV
        # The socket is as good as before.
        assert route.dump("list links", RTM_GETLINK, link())


@kernel
def test_a_refused_batch_raises_its_first_refusal_after_all_answers():
    with namespace() as space, space.entered(), netlink.NetlinkSocket(netlink.NETLINK_ROUTE) as route:
        messages = [
            (RTM_DELLINK, netlink.REQUEST | netlink.ACK, link(index=77)),
            (RTM_NEWLINK, netlink.REQUEST | netlink.ACK | netlink.CREATE, named("two")),
        ]
        with pytest.raises(netlink.NetlinkError, match="No such device"):
            route.transact("change links", messages)
        assert any(b"two\0" in each.payload for each in route.dump("list links", RTM_GETLINK, link()))


@kernel
def test_a_subscriber_hears_what_others_do_and_of_what_it_missed():
    with (
        namespace() as space,
        space.entered(),
        netlink.NetlinkSocket(netlink.NETLINK_ROUTE, receive_buffer=4096) as listener,
    ):
        listener.subscribe(LINK_GROUP)
        space.run("ip", "link", "add", "heard", "type", "bridge")
        received = listener.receive(timeout=5)
        assert any(b"heard\0" in each.payload for each in received.messages)
        assert not received.lost
        for number in range(30):
            space.run("ip", "link", "set", "heard", "mtu", str(1400 + number))
        assert listener.receive(timeout=5).lost
