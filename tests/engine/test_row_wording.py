from __future__ import annotations

import pytest

from tests.engine.world import World
from twinwall.conntrack.entry import ENTRY
from twinwall.engine import row_wording as rows
from twinwall.engine.row_wording import END_WORDS

SYN = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("tcp 10.0.0.5:1 > 10.0.0.6:2 S.", "flags S., seq 1000 ack 5001 win 65535, ttl 64, 0 bytes of payload"),
        ("icmp 10.0.0.5 > 10.0.0.6 3/1 len 4", "icmp 10.0.0.5 > 10.0.0.6, host-unreachable, id 1 seq 1, ttl 64"),
        ("udp [2001:db8::1]:1 > [2001:db8::2]:2 ttl 3", "udp [2001:db8::1]:1 > [2001:db8::2]:2, ttl 3, 0 bytes"),
        ("udp 10.0.0.5:1 > 10.0.0.6:2 len 8 frag 16", "udp 10.0.0.5 > 10.0.0.6, the piece at byte 16, the last, ttl 64"),
        ("udp 10.0.0.5:1 > 10.0.0.6:2 len 8 frag 0+", "the piece at byte 0, more follow"),
        ("udp 10.0.0.5:1 > 10.0.0.6:2 vlan 7", "VLAN 7"),
    ],
)
def test_packets(said, told):
    assert told in rows.packet_words(World("").say(said).record)


def test_a_frame_without_ip():
    record = World("").send(bytes(12) + b"\x08\x06" + bytes(28), link=0).record
    assert rows.packet_words(record) == "no IP packet (ethertype 0x0806)"


def test_states_of_flows():
    tcp, udp = World("").say(SYN), World("").say("udp 10.0.0.5:1 > 10.0.0.6:2")
    sctp = World("").say("sctp 10.0.0.5:1 > 10.0.0.6:2 init")
    assert [rows.state_words(each.after) for each in (tcp, udp, sctp)] == ["SYN_SENT", "", "CLOSED"]
    assert rows.change_words(None, tcp.after) == "new, SYN_SENT"
    assert rows.change_words(tcp.after, tcp.after) == "still SYN_SENT"
    assert rows.change_words(None, udp.after) == "new"
    assert rows.change_words(udp.after, udp.after) == "known"


def test_how_long_a_flow_lives():
    account = World("").say("udp 10.0.0.5:1 > 10.0.0.6:2")
    now = int(account.decision["timestamp"])
    assert rows.left_words(account.after, now) == "ends in 30 s if nothing more comes"
    assert rows.left_words(account.after, now + 30 * rows.NANOSECONDS) == "ends at once"


def test_what_a_dropped_flow_is():
    account = World("stateful: {order: strict, default: [drop_strict]}\n").say(SYN)
    assert rows.status_words(account.after) == ("nothing of it has passed: for the tracker's label it does not exist",)


def test_what_becomes_of_a_dropped_flow_where_flows_are_linux_s():
    story = World("tracking: {flows: linux}\nstateful: {order: strict, default: [drop_strict]}\n").story(SYN)
    assert story.account.after is None
    (line,) = (line.text for line in story.lines if line.section == "flow")
    assert line.startswith("the flow ended: tcp 10.0.0.5:40000 > 198.51.100.7:443, its first packet was dropped, and Linux")


def test_flows_that_ended():
    account = World("").say(SYN, "< S.", "> S after 10m")
    assert rows.ended_words(account.ended[0]) == "tcp 10.0.0.5:40000 > 198.51.100.7:443, its time was up"
    assert rows.endpoint_of(World("").say("icmp6 ::5 > ::7 echo-request").after, "dst", "dport") == "::7"
    assert set(END_WORDS) == {0, 1, 2, 3, 4, 5, 6}
    assert "end_reason" in ENTRY.names
