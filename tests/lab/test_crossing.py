from __future__ import annotations

from tests.lab.made import HOST, WEB, seen, tcp4, tcp6, udp4
from twinwall.lab.crossing import crossings

INSIDE6, OUTSIDE6 = "2001:db8:20::10", "2001:db8:100::7"


def fates(*packets):
    return [each.passed for each in crossings(packets)]


def test_a_packet_that_came_out_on_the_other_side_has_passed():
    sent, routed = tcp4(HOST, WEB, ttl=64), tcp4(HOST, WEB, ttl=63)
    assert fates(seen(1, "inside", True, sent), seen(2, "outside", False, routed)) == [True]


def test_one_that_did_not_was_dropped():
    assert fates(seen(1, "inside", True, tcp4(HOST, WEB))) == [False]


def test_another_packet_is_another_packet():
    out = tcp4(HOST, WEB, ident=8, ttl=63)
    assert fates(seen(1, "inside", True, tcp4(HOST, WEB, ident=7)), seen(2, "outside", False, out)) == [False]


def test_what_comes_back_on_the_same_side_did_not_cross():
    packet = tcp4(HOST, WEB)
    assert fates(seen(1, "inside", True, packet), seen(2, "inside", False, packet)) == [False]


def test_a_copy_that_came_out_before_a_packet_went_in_is_not_its_own():
    packet = tcp4(HOST, WEB)
    assert fates(seen(1, "outside", False, packet), seen(2, "inside", True, packet)) == [False]


def test_of_equal_packets_the_latest_before_a_copy_is_the_one_that_passed():
    packet = udp4(HOST, WEB)
    moves = [seen(1, "inside", True, packet), seen(5, "inside", True, packet), seen(6, "outside", False, packet)]
    assert fates(*moves) == [False, True]


def test_ipv6_is_recognised_by_all_but_the_hop_limit():
    sent, routed = tcp6(INSIDE6, OUTSIDE6, 64), tcp6(INSIDE6, OUTSIDE6, 63)
    assert fates(seen(1, "inside", True, sent), seen(2, "outside", False, routed)) == [True]


def test_padding_behind_the_packet_does_not_count():
    packet = tcp4(HOST, WEB)
    assert fates(seen(1, "inside", True, packet, bytes(6)), seen(2, "outside", False, packet)) == [True]


def test_packets_for_the_firewall_itself_or_for_a_group_are_left_out():
    others = [udp4(HOST, "10.20.0.1"), udp4("10.20.0.1", HOST), udp4(HOST, "224.0.0.251"), tcp6("fe80::1", "ff02::16")]
    assert crossings(seen(1, "inside", True, packet) for packet in others) == []


def test_a_packet_too_short_for_its_header_is_left_out():
    assert crossings([seen(1, "inside", True, tcp4(HOST, WEB)[:12])]) == []


def test_they_are_in_order_of_time():
    late, early = seen(9, "outside", True, tcp4(WEB, HOST)), seen(1, "inside", True, tcp4(HOST, WEB))
    assert [(each.time, each.side) for each in crossings([late, early])] == [(1, "inside"), (9, "outside")]
