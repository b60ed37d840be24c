from __future__ import annotations

import dataclasses

import numpy as np

from tests.events.batches import batch, decision, tcp_record
from tests.events.frames import ethernet, ipv4, udp
from twinwall.events.packet import packet_head, side
from twinwall.events.rows import packet_rows
from twinwall.path.layout import LINK_SLL, MARK_IP


def head(record, frame=b"", **decided):
    made = batch([decision(3, **decided)], [record], frames=[{"captured_length": len(frame)}])
    made = dataclasses.replace(made, buffers=((0, np.frombuffer(frame, dtype=np.uint8)),))
    return packet_head(made, packet_rows(made, np.array([0]))[0], "drop")


def test_tags_are_listed_from_the_outside():
    frame = ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1, 2, b"")), 0x7005, 6)
    assert head(tcp_record(vlan_count=2, vlan=5), frame)["vlan"] == [5, 6]


def test_other_links_know_the_outermost_tag():
    assert head(tcp_record(vlan_count=2, vlan=5, link=LINK_SLL))["vlan"] == [5]


def test_a_later_fragment_has_ports_of_zero_and_icmp_without_header_no_type():
    fragment = head(tcp_record(proto=17, sport=0, dport=0, marks=MARK_IP))
    assert (fragment["src_port"], fragment["dest_port"]) == (0, 0)
    assert "icmp_type" not in head(tcp_record(proto=1, marks=MARK_IP))


def test_a_frame_without_an_ip_header_has_no_addresses():
    assert head({"marks": MARK_IP}) == {
        "timestamp": "2026-01-01T00:00:00.123456+0000",
        "pcap_cnt": 3,
        "event_type": "drop",
        "pkt_src": "wire/pcap",
    }


def test_sides_are_named_as_rules_name_them():
    assert (side(0), side(1)) == ("to_server", "to_client")
