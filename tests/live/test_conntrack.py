"""The kernel's connection table, with real connections in a namespace of the test's own."""

from __future__ import annotations

import contextlib
import socket

import pytest

from tests.live.namespace import namespace
from twinwall.live.connection import FiveTuple, Status
from twinwall.live.connection_filter import parse_filter
from twinwall.live.conntrack import ConnectionTable, ConntrackEvents, EventKind

pytestmark = pytest.mark.kernel

# The tracker works where a rule asks for it.
TRACKING = "table inet t { chain c { type filter hook output priority 0; ct state new counter\n }\n}\n"
LOCAL = {"4": "127.0.0.1", "6": "::1"}
FAMILIES = {"4": socket.AF_INET, "6": socket.AF_INET6}


@pytest.fixture
def space():
    with namespace() as made:
        made.run("nft", "-f", "-", text=TRACKING)
        for name in ("acct", "timestamp"):
            made.run("sh", "-c", f"echo 1 > /proc/sys/net/netfilter/nf_conntrack_{name}")
        with made.entered():
            yield made


@contextlib.contextmanager
def talking(version="4"):
    """An established TCP connection that has carried 5 bytes; its client's and its server's port."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server((LOCAL[version], 0), family=FAMILIES[version]))
        client = stack.enter_context(socket.create_connection(server.getsockname()[:2], timeout=5))
        accepted = stack.enter_context(server.accept()[0])
        client.sendall(b"hello")
        assert accepted.recv(5) == b"hello"
        yield client.getsockname()[1], server.getsockname()[1]


@pytest.mark.parametrize("version", ["4", "6"])
def test_a_connection_is_listed_with_everything_the_kernel_knows(space, version):
    with talking(version) as (client, server), ConnectionTable() as table:
        (entry,) = table.matching(parse_filter(f"tcp :{client} > :{server} ESTABLISHED"))
    address = socket.inet_pton(FAMILIES[version], LOCAL[version])
    assert entry.original == FiveTuple(address, address, 6, client, server)
    assert entry.reply == entry.original.reversed() == entry.seen.reversed()
    assert entry.status & (Status.ASSURED | Status.SEEN_REPLY | Status.CONFIRMED) == 0xE
    assert 0 < entry.timeout <= 432_000
    assert entry.original_counters.packets >= 3
    assert entry.reply_counters.bytes >= 40
    assert entry.start > 1_600_000_000 * 10**9
    assert not entry.translated


def test_one_connection_is_deleted_and_the_other_stays(space):
    with talking() as (one, _), talking() as (two, _), ConnectionTable() as table:
        (entry,) = table.matching(parse_filter(f":{one}"))
        assert table.delete(entry)
        assert not table.delete(entry)
        assert table.matching(parse_filter(f":{one}")) == []
        assert len(table.matching(parse_filter(f":{two}"))) == 1


def test_connections_that_match_are_deleted(space):
    with talking(), talking("6"), ConnectionTable() as table:
        assert table.delete_all(table.matching(parse_filter("tcp [::1]"))) == 1
        assert [entry.original.version for entry in table.entries()] == [4]


def test_an_entry_with_the_same_ends_that_came_later_is_left_alone(space):
    with talking() as (client, _), ConnectionTable() as table:
        (old,) = table.matching(parse_filter(f":{client}"))
        other = FiveTuple(old.original.source, old.original.destination, 6, client, old.original.destination_port)
        impostor = type(old)(other, other.reversed(), old.status, ident=old.ident ^ 1)
        assert not table.delete(impostor)
        assert table.entries() == table.matching(parse_filter(f":{client}"))
        assert len(table.entries()) == 1


def test_bits_of_a_mark_are_written_and_the_others_kept(space):
    with talking() as (client, _), ConnectionTable() as table:
        (entry,) = table.entries()
        assert table.set_mark(entry, 0xAABBCCDD)
        assert table.set_mark(entry, 0x00110000, 0x00FF0000)
        (entry,) = table.entries()
        assert entry.mark == 0xAA11CCDD
        assert entry.generation == 5
        assert table.entries(0xAA000000, 0xFF000000) == table.matching(parse_filter(f":{client}"))
        assert table.entries(0xAB000000, 0xFF000000) == []


def test_labels_are_cleared(space):
    labelling = "table inet l { chain c { type filter hook output priority 1; ct label set 3 ct label set 127\n }\n}\n"
    space.run("nft", "-f", "-", text=labelling)
    with talking(), talking("6"), ConnectionTable() as table:
        space.run("nft", "delete", "table", "inet", "l")
        assert table.clear_labels() == 2
        assert table.clear_labels() == 0


def test_a_ping_has_its_identifier_and_type_and_is_deleted_by_them(space):
    with ConnectionTable() as table:
        for address in ("127.0.0.1", "::1"):
            space.run("ping", "-c1", "-W5", "-e", "4242", address)
        four, six = sorted(table.entries(), key=lambda entry: entry.protocol)
        assert (four.protocol, four.original.source_port, four.original.destination_port) == (1, 4242, 8 << 8)
        assert (six.protocol, six.original.source_port, six.original.destination_port) == (58, 4242, 128 << 8)
        assert str(four) == "icmp 127.0.0.1 > 127.0.0.1"
        assert table.delete_all([four, six]) == 2


def test_the_fill_counts_entries_against_the_limit(space):
    with talking(), ConnectionTable() as table:
        fill = table.fill()
    assert fill.entries == 1
    assert fill.limit >= 1024
    assert fill.statistics["drop"] == 0


def test_events_tell_of_a_connections_life(space):
    with ConntrackEvents() as listener:
        with talking() as (client, _), ConnectionTable() as table:
            table.delete_all(table.entries())
        events = []
        while not any(event.kind is EventKind.DESTROY for event in events):
            heard = listener.receive(timeout=5)
            assert heard.events
            assert not heard.lost
            events += heard.events
    ours = [event for event in events if event.entry.original.source_port == client]
    assert ours[0].kind is EventKind.NEW
    assert ours[0].entry.state == "SYN_SENT"
    assert EventKind.UPDATE in {event.kind for event in ours}
    ended = next(event.entry for event in ours if event.kind is EventKind.DESTROY)
    assert ended.original_counters.packets >= 3
    assert ended.stop >= ended.start > 0


def test_lost_events_are_told(space):
    with ConntrackEvents(buffer=2048) as listener:
        for _ in range(20):
            with talking():
                pass
        assert listener.receive(timeout=5).lost
