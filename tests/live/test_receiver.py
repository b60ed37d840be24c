"""Who receives a queue or a log group is named, in errors too."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.live.namespace import in_namespace
from twinwall.live.netlink import NetlinkError
from twinwall.live.nflog import GROUPS, LogGroup
from twinwall.live.nfqueue import STATISTICS, PacketQueue
from twinwall.live.receiver import claimed, processes_of, receivers

GROUP, QUEUE = 77, 78
MAKERS = {"group": lambda: LogGroup(GROUP), "queue": lambda: PacketQueue(QUEUE, fail_open=False)}
LISTINGS = {"group": (GROUPS, GROUP), "queue": (STATISTICS, QUEUE)}


@pytest.fixture
def space():
    yield from in_namespace()


@pytest.mark.kernel
@pytest.mark.parametrize("kind", MAKERS)
def test_the_process_is_named(space, kind):
    listing, number = LISTINGS[kind]
    assert receivers(listing) == {}
    with MAKERS[kind]():
        addresses = receivers(listing)
        assert list(addresses) == [number]
        assert processes_of(addresses.values())[addresses[number]].endswith(f"(process {os.getpid()})")


@pytest.mark.kernel
@pytest.mark.parametrize("kind", MAKERS)
def test_what_another_socket_receives_is_refused_with_its_process_and_a_remedy(space, kind):
    with MAKERS[kind](), pytest.raises(NetlinkError) as caught:
        MAKERS[kind]()
    assert caught.value.number == errno.EBUSY
    assert f"(process {os.getpid()}) receives it" in caught.value.cause
    assert "attach." in caught.value.remedy


@pytest.mark.kernel
def test_a_missing_privilege_stays_one(space):
    refused = NetlinkError("receive", errno.EPERM)
    assert claimed(refused, GROUPS, GROUP, "") is refused


@pytest.mark.kernel
def test_a_socket_that_no_process_seems_to_hold(space, tmp_path):
    """A process of another container: its descriptors are not to be seen here."""
    with LogGroup(GROUP):
        (tmp_path / "thread-self" / "net").mkdir(parents=True)
        (tmp_path / "thread-self" / "net" / "netlink").write_text(Path("/proc/thread-self/net/netlink").read_text())
        assert processes_of(receivers(GROUPS).values(), tmp_path) == {}


def test_where_nothing_may_be_read_nothing_is_known(tmp_path):
    assert receivers(tmp_path / "nothing") == {}
    assert processes_of(()) == {}
