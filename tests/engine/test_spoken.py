from __future__ import annotations

from hypothesis import given

from tests.engine.packets_in_words import packets
from twinwall.engine.spoken_parser import parse_packet


@given(packets())
def test_what_is_said_reads_as_the_same_packet(packet):
    assert parse_packet(str(packet)) == packet


def test_defaults_stay_unsaid():
    text = "tcp 10.0.0.5:40000 > [2001:db8::1]:443 S"
    assert str(parse_packet(text.replace("[2001:db8::1]", "198.51.100.7"))) == text.replace("[2001:db8::1]", "198.51.100.7")
    assert str(parse_packet("icmp6 2001:db8::1 > 2001:db8::2 echo-request id 7 seq 1")) == (
        "icmp6 2001:db8::1 > 2001:db8::2 echo-request seq 1 id 7"
    )
