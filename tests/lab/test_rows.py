from __future__ import annotations

from tests.lab.made import ACK, HOST, WEB, icmp4, seen, tcp4
from twinwall.lab.crossing import crossings
from twinwall.lab.rows import BEFORE, assign


def rows(starts, *packets):
    return assign(crossings(seen(time, "inside", True, packet) for time, packet in packets), starts)


def test_a_packet_belongs_to_the_row_that_was_playing():
    assert rows([10, 20], (15, tcp4(HOST, WEB, (1024, 80))), (25, tcp4(HOST, WEB, (1025, 80)))) == [0, 1]


def test_a_late_packet_belongs_to_the_row_of_its_conversation():
    late = tcp4(WEB, HOST, (80, 1024), ACK)
    assert rows([10, 20], (15, tcp4(HOST, WEB, (1024, 80))), (25, late)) == [0, 0]


def test_without_ports_the_time_decides():
    assert rows([10, 20], (15, icmp4(HOST, WEB)), (25, icmp4(HOST, WEB))) == [0, 1]


def test_what_came_before_the_first_row_belongs_to_none():
    assert rows([10], (5, icmp4(HOST, WEB))) == [BEFORE]
